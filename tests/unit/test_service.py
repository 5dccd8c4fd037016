"""The composition root hands clock, ids and threads to every part of a manager."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from cells import conf as cells_conf
from cells import exceptions, service
from cells.neighbors import State
from cells.worker_threads import Runtime, Thread, start_thread
from tests.unit.endpoints.cells_in_memory import CellInMemory


def test_manager_uses_the_clock_the_ids_and_the_threads_of_its_runtime() -> None:
    now, numbers, started = [100.0], itertools.count(1), list[str]()

    def spawn(work: Callable[[], None], name: str) -> Thread:
        started.append(name)
        return start_thread(work, name)

    runtime = Runtime(clock=lambda: now[0], new_id=lambda: f"id-{next(numbers)}", spawn=spawn)
    with CellInMemory("east", parents=["api"], runtime=runtime) as cell:
        cell.service.prober.ping("api")
        assert {cell.next_text("api")["uuid"] for _ in range(2)} == {"id-1", "id-2"}
        assert "cells-send-api" in started
        cell.table.record_probe_answer("api", now[0], "h2")
        cell.table.record("api")
        assert cell.table.state("api") is State.UP
        now[0] += 1000.0
        assert cell.table.state("api") is State.MUTE


@pytest.mark.parametrize("name", [None, "", "a!b"])
def test_name_that_is_missing_or_wrong_is_an_error(name: str | None) -> None:
    conf = cells_conf.load([])
    conf.set_override("name", name, "cells")
    with pytest.raises(exceptions.ConfigurationError):
        service.build(conf)


@pytest.mark.parametrize(
    ("options", "receives"),
    [
        ({}, ["[DEFAULT] transport_url"]),
        ({"mailbox_url": "memory://box/east"}, ["[cells] mailbox_url"]),
        (
            {"mailbox_url": "memory://box/east", "mailbox_migration": True},
            ["[cells] mailbox_url", "[DEFAULT] transport_url"],
        ),
    ],
)
def test_a_cell_receives_at_its_mailbox_and_during_a_migration_at_its_own_broker_too(
    options: dict[str, object], receives: list[str]
) -> None:
    with CellInMemory("east", options=options) as cell:
        options = [receiver.option for receiver in cell.service.receivers]
        assert options == [*receives, "[cells_direct] listen"]
        assert list(cell.service.manager.status({})["receives"]) == receives


def test_the_password_of_the_mailbox_is_not_shown() -> None:
    with CellInMemory("east", options={"mailbox_url": "memory://u:s3kr3t@box/east"}) as cell:
        assert cell.service.manager.status({})["receives"] == {"[cells] mailbox_url": "memory://u:***@box/east"}
