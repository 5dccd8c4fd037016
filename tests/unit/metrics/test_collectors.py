"""The collectors: a fabricated state of a manager, and the numbers that they make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from cells.counters import Counters
from cells.links import LinkLimits, Links, Losses
from cells.links.losses import Key, Tally
from cells.metrics.manager_collector import ManagerCollector, health
from cells.metrics.names import TABLE, Kind
from cells.metrics.neighbor_collector import NeighborCollector
from cells.neighbors import NeighborTable, State
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.neighbor import Neighbor
from cells.routing.pending import PendingCalls
from cells.worker_threads import Runtime, WorkerThreads
from tests.cases import each
from tests.clock import Clock
from tests.unit.links.harness import OneDriver, PlainDriver

EAST = Neighbor("east", "memory://east", is_parent=False, driver="scripted")
TOP = Neighbor("top", "memory://top", is_parent=True, driver="direct", version_cap="1.2")
STATUS = {
    "queue": {"control": {"messages": 1, "bytes": 10}, "request": {"messages": 2, "bytes": 200}},
    "oldest_seconds": 7.5,
    "managers": [
        {"credit": {"request": {"messages": 5, "bytes": 500}}},
        {"credit": {"request": {"messages": 6, "bytes": 600}}},
    ],
}
WALL = 1_000_000.0


class Manager:
    """The parts of a manager that the collectors read, with two neighbors."""

    def __init__(self) -> None:
        self.clock = Clock()
        runtime = Runtime(clock=self.clock, wall_clock=lambda: WALL)
        self.counters = Counters()
        self.losses = Losses(self.clock)
        self.table = NeighborTable(300, self.clock)
        self.table.replace([EAST, TOP])
        self.links = Links(OneDriver(PlainDriver()), self.counters, lambda *_: None, LinkLimits(), runtime, self.losses)
        self.is_ready = True
        self.registry = CollectorRegistry()
        self.registry.register(self.counters)
        self.registry.register(
            ManagerCollector(
                identity={"release": "9", "version": "1.4", "name": "api", "host": "h"},
                table=self.table,
                counters=self.counters,
                pending=PendingCalls(10, self.counters, self.clock),
                threads=WorkerThreads(4, 10, "test"),
                is_ready=lambda: self.is_ready,
            )
        )
        self.registry.register(
            NeighborCollector(
                cell_name="api",
                table=self.table,
                link_versions=LinkVersions(self.table, None),
                links=self.links,
                losses=self.losses,
                link_status=lambda row: STATUS if row.is_direct else None,
                wall_clock=runtime.wall_clock,
            )
        )

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def metrics(self) -> dict[str, Metric]:
        return {_full_name(metric): metric for metric in self.registry.collect()}


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


@pytest.fixture
def manager() -> Manager:
    return Manager()


def answer_probe(manager: Manager, name: str) -> None:
    manager.table.record(name)
    manager.table.record_probe(name)
    manager.clock.advance(0.5)
    manager.table.record_probe_answer(name, manager.clock.now - 0.5, "host")


def test_the_state_of_a_link(manager: Manager) -> None:
    answer_probe(manager, "east")
    manager.clock.advance(7)
    assert manager.value("cells_link_state", neighbor="east", direction="down", state="up") == 1
    assert manager.value("cells_link_state", neighbor="east", direction="down", state="silent") == 0
    assert manager.value("cells_link_round_trip_seconds", neighbor="east") == 0.5
    assert manager.value("cells_link_last_answer_timestamp_seconds", neighbor="east") == WALL - 7
    assert manager.value("cells_link_since_timestamp_seconds", neighbor="east") == WALL - 7
    assert manager.value("cells_link_unanswered_probes", neighbor="east") == 0
    manager.table.record_probe("east")
    manager.clock.advance(60)
    assert manager.value("cells_link_unanswered_probes", neighbor="east") == 1
    assert manager.value("cells_link_state", neighbor="east", direction="down", state="silent") == 1


def test_a_neighbor_that_was_never_probed_has_no_times(manager: Manager) -> None:
    assert manager.value("cells_link_round_trip_seconds", neighbor="east") is None
    assert manager.value("cells_link_last_answer_timestamp_seconds", neighbor="east") is None
    assert manager.value("cells_link_state", neighbor="east", direction="down", state="unknown") == 1


def test_the_version_and_the_cap_of_a_link(manager: Manager) -> None:
    manager.table.record_version("top", {"host": "h", "version": "1.4"})
    labels = {"neighbor": "top", "direction": "up", "driver": "direct", "spoken": "1.2", "reads": "1.4", "cap": "1.2"}
    assert manager.value("cells_link_info", **labels) == 1


def test_the_queue_and_the_credit_of_a_direct_link(manager: Manager) -> None:
    assert manager.value("cells_link_queue_messages", neighbor="top") == 3
    assert manager.value("cells_link_queue_bytes", neighbor="top") == 210
    assert manager.value("cells_link_connections", neighbor="top") == 2
    assert manager.value("cells_link_credit_messages", neighbor="top", type="request") == 11
    assert manager.value("cells_link_credit_bytes", neighbor="top", type="request") == 1100
    assert manager.value("cells_link_queue_oldest_seconds", neighbor="top") == 7.5


def test_messages_by_neighbor_kind_and_outcome(manager: Manager) -> None:
    manager.losses.accept("east", ["cast", "cast", "cast"])
    manager.losses.deliver("east", ["cast", "cast"])
    manager.losses.give_up(Key("east", "cast", "NeighborBusy"), Tally(lost=4))
    manager.losses.give_up(Key("gone", "cast", "NeighborBusy"), Tally(lost=5))
    assert manager.value("cells_delivered_messages_total", neighbor="east", type="cast") == 2
    assert manager.value("cells_in_flight_messages", neighbor="east", type="cast") == 1
    labels = {"type": "cast", "reason": "NeighborBusy", "result": "lost"}
    assert manager.value("cells_given_up_messages_total", neighbor="east", **labels) == 4
    assert manager.value("cells_given_up_messages_total", neighbor="gone", **labels) is None
    assert manager.value("cells_lost_messages_total", neighbor="east", result="lost") == 4
    assert manager.value("cells_lost_messages_total", neighbor="top", result="lost") == 0


def test_a_deleted_neighbor_has_no_numbers(manager: Manager) -> None:
    manager.losses.accept("east", ["cast"])
    manager.table.replace([TOP])
    labels = [sample.labels for metric in manager.metrics().values() for sample in metric.samples]
    assert [found for found in labels if found.get("neighbor") == "east"] == []


def test_numbers_of_the_manager(manager: Manager) -> None:
    manager.counters.count_received(["targeted"] * 3)
    manager.counters.count("dropped", "late")
    manager.counters.call_seconds.observe(0.003)
    assert manager.value("cells_build_info", version="9", reads="1.4", cell="api", host="h") == 1
    assert manager.value("cells_received_messages_total", type="targeted") == 3
    assert manager.value("cells_events_total", event="dropped", reason="late") == 1
    assert manager.value("cells_call_seconds_bucket", le="0.005") == 1
    assert manager.value("cells_cast_messages_sum", direction="in") == 3
    assert manager.value("cells_endpoint_threads_limit") == 4
    assert manager.value("cells_pending_calls", type="service") == 0
    assert manager.value("cells_neighbors", direction="up") == 1


@each(
    ("is_ready", "states", "number"),
    [
        (True, [], 1.0),
        (True, [State.UP, State.UP], 1.0),
        (True, [State.UP, State.SILENT, State.UNKNOWN], 0.5),
        (True, [State.UNKNOWN], 1.0),
        (True, [State.UNREACHABLE], 0.0),
        (False, [State.UP], 0.0),
    ],
)
def test_the_one_number_about_health(is_ready: bool, states: list[State], number: float) -> None:
    assert health(is_ready, states) == number


def full_manager() -> Manager:
    """Return a manager in a state in which every metric has a value."""
    manager = Manager()
    answer_probe(manager, "east")
    manager.counters.count_received(["targeted"] * 1)
    manager.losses.accept("east", ["cast"])
    manager.losses.give_up(Key("east", "cast", "NeighborBusy"), Tally(lost=1))
    return manager


def test_the_table_has_every_metric_and_no_other() -> None:
    assert set(full_manager().metrics()) == set(TABLE)


def samples() -> Iterator[tuple[str, Metric, dict[str, Any]]]:
    for name, metric in full_manager().metrics().items():
        for sample in metric.samples:
            yield name, metric, {label: value for label, value in sample.labels.items() if label != "le"}


def test_metrics_have_the_types_and_labels_of_the_table() -> None:
    for name, metric, labels in samples():
        assert (Kind(metric.type), tuple(labels)) == (TABLE[name].kind, TABLE[name].labels), name


@each("name", list(TABLE))
def test_names_follow_the_conventions(name: str) -> None:
    entry = TABLE[name]
    assert name.startswith("cells_")
    assert name.endswith("_total") == (entry.kind is Kind.COUNTER)
    assert not entry.text.endswith(".")
    assert "milli" not in name


def test_a_row_with_another_cap_is_capped_by_the_lower_one(manager: Manager) -> None:
    manager.table.replace([replace(TOP, version_cap="no such version")])
    (metric,) = [metric for metric in manager.registry.collect() if metric.name == "cells_link_info"]
    assert [sample.labels["cap"] for sample in metric.samples] == ["no such version"]
