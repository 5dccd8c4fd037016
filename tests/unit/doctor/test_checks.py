"""Each check of ``cells doctor``, with fakes of the broker and of the manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import amqp  # type: ignore[import-untyped]
import pytest

from cells import exceptions
from cells.doctor.checks.broker import BrokerCheck
from cells.doctor.checks.cell_names import CellNameCheck
from cells.doctor.checks.clocks import ClockCheck
from cells.doctor.checks.configuration import ConfigurationCheck
from cells.doctor.checks.consumers import ConsumerCheck
from cells.doctor.checks.database import DatabaseCheck
from cells.doctor.checks.managers import ManagerCheck
from cells.doctor.checks.neighbors import NeighborCheck
from cells.doctor.checks.option_names import OptionNameCheck
from cells.doctor.checks.orphans import OrphanCheck
from cells.doctor.checks.permissions import PermissionCheck
from cells.doctor.checks.queues import MANY, QueueCheck
from cells.doctor.checks.tree import TreeCheck
from cells.rpcapi import CellAnswer
from cells.transport.broker_probe import QueueCounts
from cells.transport.rabbitmq import BrokerUnusableError
from tests.cases import each
from tests.unit.doctor.fake_case import EAST, FakeManager, FakeProbe, make_case, names

TARGETED = "cells.intercell.targeted"
STATUS = {"name": "api", "path": "api", "host": "h", "pid": 1}


def release() -> str:
    from importlib import metadata

    return metadata.version("cells-intercell")


def write(directory: Path, text: str) -> Path:
    file = directory / "cells.conf"
    file.write_text(f"[DEFAULT]\nhost = h\ntransport_url = rabbit://u:p@h/v\nstate_path = {directory}\n{text}")
    return file


# Configuration


@each(
    ("text", "subjects"),
    [
        ("[oslo_messaging_rabbit]\nrabbit_quorum_queues = true\n", ["[oslo_messaging_rabbit] rabbit_quorum_queues"]),
        ("[cells]\nname = api\ncall_timeouts = 3\n", ["[cells] call_timeouts"]),
        ("[cell]\nname = api\n", ["[cell]"]),
        # Other spellings, older names, and options of other programs.
        ("[cells]\nname = api\ncall-timeout = 3\n[nova]\nnmae = x\n[database]\nsql_idle_timeout = 1\n", []),
        ("debug = true\nweather = fair\n", []),
    ],
)
def test_a_misspelt_option_is_named(text: str, subjects: list[str], tmp_path: Path) -> None:
    case = make_case(files=[write(tmp_path, text)])
    found = list(OptionNameCheck().run(case))
    assert [finding.subject for finding in found] == subjects
    assert set(names(found)) <= {"option_misspelt"}


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    text = "[cells]\nname = api\nmailbox_migration = true\n[upgrade_levels]\nintercell = 7.7\n"
    found = names(ConfigurationCheck().run(make_case(files=[write(tmp_path, text)])))
    assert found == ["setting_wrong", "cap_unreadable"]


# Database


def test_a_database_without_tables(tmp_path: Path) -> None:
    case = make_case(files=[write(tmp_path, "[cells]\nname = api\n")])
    assert names(DatabaseCheck().run(case)) == ["database_outdated"]


def test_a_database_that_is_away(tmp_path: Path) -> None:
    text = f"[cells]\nname = api\n[database]\nconnection = sqlite:///{tmp_path}/no/such/directory/x.sqlite\n"
    (tmp_path / "no").write_text("a file")
    case = make_case(files=[write(tmp_path, text)])
    assert DatabaseCheck().overdue(case).name == "database_unavailable"


def test_the_rows_of_a_file_are_read(tmp_path: Path) -> None:
    neighbors = tmp_path / "neighbors.json"
    neighbors.write_text('{"east": {"transport_url": "rabbit://u:p@east/v", "is_parent": false}}')
    case = make_case(files=[write(tmp_path, f"[cells]\nname = api\ncells_config = {neighbors}\n")])
    assert names(DatabaseCheck().run(case)) == []
    assert [row.name for row in case.rows] == ["east"]


# Broker


@each(
    ("reason", "name"),
    [
        ("login", "broker_login"),
        ("virtual_host", "virtual_host"),
        ("silent", "broker_silent"),
        ("unreachable", "broker_unreachable"),
        ("tls", "broker_unreachable"),
    ],
)
def test_a_broker_that_refuses_the_login(reason: str, name: str) -> None:
    manager = FakeManager(status=AssertionError("must not be asked"))
    case = make_case(manager, BrokerUnusableError("no", reason))
    assert names(BrokerCheck().run(case)) == [name]
    # The other checks leave the finding to this one.
    for check in (PermissionCheck(), QueueCheck(), ManagerCheck(), CellNameCheck(), ClockCheck(), OrphanCheck()):
        assert list(check.run(case)) == []


def test_a_broker_that_hangs() -> None:
    case = make_case()
    assert BrokerCheck().overdue(case).name == "broker_silent"
    assert not case.has_broker


def forbidden() -> Exception:
    return amqp.AccessRefused("403")


@each(
    ("probe", "words"),
    [
        (FakeProbe(is_writable=False), "write for the exchange openstack"),
        (FakeProbe(is_declaring=False), "configure for the exchange openstack"),
        (FakeProbe(is_creating=False), "configure for the queues reply_*"),
        (FakeProbe(unreadable=["cells"]), "read for the queue cells"),
        (FakeProbe(refusals={TARGETED: forbidden()}), f"configure for the queue {TARGETED}"),
    ],
)
def test_a_missing_permission_is_named(probe: FakeProbe, words: str) -> None:
    (finding,) = PermissionCheck().run(make_case(probe=probe))
    assert (finding.name, finding.subject, words in finding.text) == ("permission_missing", "u", True)
    assert "set_permissions -p v u" in finding.remedy


def test_a_blocked_broker() -> None:
    (finding,) = PermissionCheck().run(make_case(probe=FakeProbe(blocked="low on memory")))
    assert (finding.name, "low on memory" in finding.text) == ("broker_blocked", True)


def test_all_permissions() -> None:
    assert list(PermissionCheck().run(make_case())) == []


@each(
    ("probe", "expected"),
    [
        (FakeProbe(), []),
        (FakeProbe({TARGETED: None}), ["queue_missing"]),
        (FakeProbe({TARGETED: QueueCounts(3, 0)}), ["queue_without_consumer"]),
        (FakeProbe({TARGETED: QueueCounts(MANY, 1)}), ["messages_waiting"]),
        (FakeProbe(refusals={TARGETED: amqp.PreconditionFailed("inequivalent arg 'durable'")}), ["queue_differs"]),
        # The check of the permissions has it.
        (FakeProbe(refusals={TARGETED: forbidden()}), []),
    ],
)
def test_queues(probe: FakeProbe, expected: list[str]) -> None:
    found = list(QueueCheck().run(make_case(probe=probe)))
    assert names(found) == expected
    assert all(finding.subject == TARGETED for finding in found)


@pytest.mark.parametrize("counts", [None, QueueCounts(5, 0)])
def test_queues_of_a_cell_without_a_manager(counts: QueueCounts | None) -> None:
    queues = dict.fromkeys(
        ("cells", *(f"cells.intercell.{kind}" for kind in ("response", "broadcast", "targeted"))), counts
    )
    case = make_case(probe=FakeProbe(queues))
    assert list(QueueCheck().run(case)) == []
    assert names(ManagerCheck().run(case)) == ["manager_down"]


def test_an_orphan_queue() -> None:
    orphan = f"{TARGETED}.h"
    (finding,) = OrphanCheck().run(make_case(probe=FakeProbe({orphan: QueueCounts(3, 0)})))
    assert (finding.name, finding.subject) == ("orphan_queue", orphan)
    assert list(OrphanCheck().run(make_case(probe=FakeProbe({orphan: QueueCounts(0, 1)})))) == []


# Manager


def ask(*statuses: Any, consumers: int | None = None) -> list[str]:
    count = len(statuses) if consumers is None else consumers
    manager = FakeManager(status=list(statuses))
    return sorted(names(ManagerCheck().run(make_case(manager, FakeProbe({"cells": QueueCounts(0, count)})))))


def test_managers() -> None:
    mine = {**STATUS, "release": release()}
    late = exceptions.ManagerTimeout("late")
    assert ask(mine) == []
    assert ask(mine, {**mine, "host": "h2", "pid": 2}) == []
    assert ask({**mine, "release": "0.1"}) == ["release_differs"]
    assert ask({**mine, "name": "west"}) == ["manager_of_other_cell"]
    assert ask(mine, {**mine, "pid": 2}) == ["managers_with_one_host"]
    assert ask(late) == ask(mine, late) == ["manager_silent"]
    assert ask(consumers=0) == ["manager_down"]


def test_a_cell_without_a_broker() -> None:
    for manager, expected in (
        (FakeManager(), ["release_differs"]),
        (exceptions.ManagerTimeout("none"), ["manager_down"]),
    ):
        case = make_case(manager)
        case.conf.set_override("transport_url", "zmq:///")
        assert names(ManagerCheck().run(case)) == expected
        for check in (BrokerCheck(), QueueCheck(), PermissionCheck(), OrphanCheck()):
            assert list(check.run(case)) == []


# Neighbors


def examine_east(manager: FakeManager, probe: Any) -> list[str]:
    case = make_case(manager, rows=[EAST], neighbor_probes={"east": probe})
    return names(NeighborCheck().run(case))


UP = {"name": "east", "is_parent": False, "state": "up", "version": "1.4"}
ANSWER = CellAnswer("api!east", {"path": "api!east"})
LATE = CellAnswer("api!east", error=exceptions.CellTimeout("late"))


@each(
    ("answer", "probe", "expected"),
    [
        (ANSWER, FakeProbe(), []),
        (LATE, FakeProbe(), ["neighbor_hangs"]),
        (LATE, FakeProbe(exchanges=[]), ["wrong_exchange"]),
        (LATE, FakeProbe({TARGETED: QueueCounts(4, 0)}), ["neighbor_manager_down"]),
        (ANSWER, BrokerUnusableError("no", "login"), ["neighbor_login"]),
        (LATE, TimeoutError("late"), ["neighbor_broker"]),
        # A cell of Nova has no ping, and answers nevertheless.
        (CellAnswer("api!east", error=exceptions.UnknownMethod("ping")), FakeProbe(), []),
    ],
)
def test_neighbors(answer: CellAnswer, probe: Any, expected: list[str]) -> None:
    assert examine_east(FakeManager(neighbors=[UP], down=[answer]), probe) == expected


@each(
    ("state", "version", "expected"),
    [
        ("up", "1.0", []),
        ("up", "1.1", []),
        ("silent", "1.1", ["neighbor_hangs"]),
        ("up", "1.2", ["neighbor_hangs"]),
        ("up", None, ["neighbor_hangs"]),
    ],
)
def test_a_timeout_of_a_neighbor_that_gathers_answers(state: str, version: str | None, expected: list[str]) -> None:
    row = {**UP, "state": state, "version": version}
    assert examine_east(FakeManager(neighbors=[row], down=[LATE]), FakeProbe()) == expected


def test_neighbors_without_a_manager() -> None:
    manager = FakeManager(status=exceptions.ManagerTimeout("late"))
    assert examine_east(manager, BrokerUnusableError("no", "login")) == ["neighbor_login"]
    assert examine_east(manager, FakeProbe({TARGETED: QueueCounts(4, 0)})) == ["neighbor_manager_down"]


def test_a_cell_that_is_not_registered_here() -> None:
    row = {"name": "x", "state": "unregistered", "problem": "unknown", "problem_name": "one_way_registration"}
    assert names(NeighborCheck().run(make_case(FakeManager(neighbors=[row])))) == ["one_way_registration"]


def test_names_that_several_cells_have() -> None:
    answers = [CellAnswer(f"api!{path}", {"path": f"api!{path}"}) for path in ("east", "east!az1", "west!az1")]
    (finding,) = CellNameCheck().run(make_case(FakeManager(down=answers)))
    assert (finding.name, finding.subject) == ("ambiguous_name", "az1")


@each(("time", "expected"), [(1_000_003.0, []), (1_000_030.0, ["clock_skew"]), (999_000, ["clock_skew"]), ("x", [])])
def test_clocks(time: Any, expected: list[str]) -> None:
    answers = [CellAnswer("api!east", {"path": "api!east", "time": time}), LATE]
    assert names(ClockCheck().run(make_case(FakeManager(down=answers)))) == expected


# Tree


def test_the_tree_is_asked_only_if_it_is_wanted() -> None:
    assert list(TreeCheck().run(make_case(FakeManager(doctor=[LATE])))) == []


def test_the_reports_of_the_cells_below_are_merged() -> None:
    silent = {"name": "az1", "state": "silent", "problem": "no", "problem_name": "neighbor_hangs", "seen_by": "e1"}
    report = {"host": "e1", "neighbors": [silent, "x"], "source_problem": "away", "left_out": 3}
    answers = [
        CellAnswer("api!east", report),
        CellAnswer("api!west", error=exceptions.UnknownMethod("doctor")),
        CellAnswer("api!east!az1", error=exceptions.CellTimeout("late")),
        # The check of the neighbors reports it.
        CellAnswer("api!south", error=exceptions.CellTimeout("late")),
    ]
    lost = {"path": "api!south!az3", "state": "unknown", "children": []}
    tree = {"path": "api", "state": "up", "children": [{"path": "api!south", "state": "silent", "children": [lost]}]}
    case = make_case(FakeManager(doctor=answers, topology=tree), is_tree=True)
    assert sorted((finding.name, finding.cell) for finding in TreeCheck().run(case)) == [
        ("cell_cannot_report", "api!west"),
        ("cell_silent", "api!east!az1"),
        ("cell_silent", "api!south!az3"),
        ("neighbor_hangs", "api!east"),
        ("neighbors_left_out", "api!east"),
        ("source_unreadable", "api!east"),
    ]


# Consumers


DEAF = {"requests of services": "", "messages of neighbors": "the consumer of queue q took no message within 3 s"}


@each(
    ("answer", "expected"),
    [
        ({}, []),
        ({"requests of services": ""}, []),
        (DEAF, [("consumer_deaf", "messages of neighbors")]),
        (exceptions.ManagerTimeout("no answer"), [("consumer_deaf", "requests that are sent to it alone")]),
        # A manager of an older release.
        (exceptions.RemoteError("no such method"), []),
        (exceptions.RPCVersionCapError("below 1.6"), []),
    ],
)
def test_consumers_prove_that_they_take_messages(answer: Any, expected: list[tuple[str, str]]) -> None:
    found = list(ConsumerCheck().run(make_case(FakeManager(status=STATUS, consumers=answer))))
    assert [(finding.name, finding.subject) for finding in found] == expected
    assert all(finding.seen_by == "h" for finding in found)


def test_each_manager_proves_its_consumers_once() -> None:
    statuses = [{**STATUS, "host": host, "release": release()} for host in ("h1", "h2", "h1")]
    case = make_case(FakeManager(status=[STATUS, *statuses], consumers=DEAF), FakeProbe({"cells": QueueCounts(0, 3)}))
    found = list(ConsumerCheck().run(case))
    assert [finding.seen_by for finding in found] == ["h1", "h2"]


def test_a_manager_that_does_not_answer_proves_nothing() -> None:
    assert list(ConsumerCheck().run(make_case(FakeManager(status=exceptions.ManagerTimeout("no"))))) == []
