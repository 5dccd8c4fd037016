"""The checks that ask the management API: types of queues, orphans and dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from cells.doctor.checks.dead_letters import DeadLetterCheck
from cells.doctor.checks.management import ManagementCheck
from cells.doctor.checks.orphans import OrphanCheck
from cells.doctor.checks.queues import QueueCheck
from cells.transport.broker_probe import QueueCounts
from tests.cases import each
from tests.unit.doctor.fake_case import FakeCase, FakeProbe, make_case, names
from tests.unit.management_server import PASSWORD, ManagementServer, serve

QUEUES = "/api/queues/v"
TARGETED = "cells.intercell.targeted"


def held(name: str, **values: Any) -> dict[str, Any]:
    plain = {"type": "classic", "durable": False, "auto_delete": False, "arguments": {}, "messages": 0, "consumers": 1}
    return {"name": name, **plain, **values}


def case_at(server: ManagementServer, probe: FakeProbe | None = None) -> FakeCase:
    case = make_case(probe=probe)
    case.conf.set_override("management_url", server.url(), "cells")
    return case


SHARED = [held(name) for name in ("cells", *(f"cells.intercell.{kind}" for kind in ("broadcast", "response")))]


@each(
    ("queue", "words"),
    [
        (held(TARGETED), ""),
        (held(TARGETED, type="quorum", arguments={"x-queue-type": "quorum"}), "type is 'quorum'"),
        (held(TARGETED, durable=True), "durable is True"),
        (held(TARGETED, auto_delete=True), "auto_delete is True"),
        (held(TARGETED, arguments={"x-max-length": 3}), "x-max-length is 3"),
    ],
)
def test_a_queue_that_differs_from_the_configuration(queue: dict[str, Any], words: str) -> None:
    # The broker is not asked to declare the queue: that needs a permission, and tells one difference only.
    probe = FakeProbe(refusals={TARGETED: AssertionError()})
    with serve({QUEUES: [*SHARED, queue], "/api/vhosts/v": {}}) as server:
        found = list(QueueCheck().run(case_at(server, probe)))
    assert names(found) == (["queue_differs"] if words else [])
    assert all(words in finding.text and finding.subject == TARGETED for finding in found)


@pytest.mark.parametrize("vhost", [{"default_queue_type": "quorum"}, None])
def test_a_type_that_the_virtual_host_sets_or_that_is_not_known_is_no_difference(vhost: dict[str, str] | None) -> None:
    rows = [{**row, "type": "quorum"} for row in (*SHARED, held(TARGETED))]
    with serve({QUEUES: rows, **({} if vhost is None else {"/api/vhosts/v": vhost})}) as server:
        assert list(QueueCheck().run(case_at(server))) == []


GONE = {"consumers": 0, "messages": 4}


@each(
    ("queue", "is_found"),
    [
        (held(f"{TARGETED}.other-host", **GONE), True),
        (held("cells.other-host", **GONE), True),
        (held(f"{TARGETED}.other-host"), False),
        (held(f"{TARGETED}_fanout_1f", **GONE, arguments={"x-expires": 1_800_000}), False),
        (held(f"{TARGETED}_fanout_1f", **GONE), True),
        (held("inventory.other-host", **GONE), False),
        (held("cells.intercell.unknown", **GONE), False),
        (held(TARGETED, **GONE), False),
    ],
)
def test_orphan_queues_of_other_hosts(queue: dict[str, Any], is_found: bool) -> None:
    probe = FakeProbe({str(queue["name"]): QueueCounts(4, 0)})
    with serve({QUEUES: [*SHARED, queue]}) as server:
        found = list(OrphanCheck().run(case_at(server, probe)))
    assert [(finding.name, finding.subject) for finding in found] == [("orphan_queue", queue["name"])] * is_found


def test_a_queue_that_has_a_consumer_again_is_no_orphan() -> None:
    name = f"{TARGETED}.other-host"
    with serve({QUEUES: [held(name, **GONE)]}) as server:
        assert list(OrphanCheck().run(case_at(server, FakeProbe({name: QueueCounts(0, 1)})))) == []


@each(
    "source",
    [
        held("stock", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters"}),
        held("stock", arguments={"x-dead-letter-exchange": "dead"}),
        held("stock", effective_policy_definition={"dead-letter-exchange": "dead"}),
    ],
)
@pytest.mark.parametrize("count", [0, 7])
def test_dead_letters(source: dict[str, Any], count: int) -> None:
    probe = FakeProbe({"letters": QueueCounts(count, 0), "busy": QueueCounts(5, 0)})
    binding = {"destination": "letters", "destination_type": "queue"}
    paths = {QUEUES: [source, held("letters"), held("busy")], "/api/exchanges/v/dead/bindings/source": [binding]}
    with serve(paths) as server:
        found = list(DeadLetterCheck().run(case_at(server, probe)))
    assert [(finding.name, finding.subject) for finding in found] == [("dead_letters", "letters")] * bool(count)
    assert all("stock" in finding.evidence for finding in found)


def test_without_the_api_the_checks_see_as_much_as_amqp_shows() -> None:
    case = make_case(probe=FakeProbe({f"{TARGETED}.h": QueueCounts(1, 0)}))
    assert names(ManagementCheck().run(case)) == []
    assert names(DeadLetterCheck().run(case)) == []
    assert names(OrphanCheck().run(case)) == ["orphan_queue"]


@each(
    ("url", "word"),
    [
        ("http://monitor:wr0ng@{address}", "monitor"),
        ("ftp://{address}", "http://"),
        ("http://u:wr0ng@127.0.0.1:1", "reached"),
    ],
)
def test_an_api_that_cannot_be_used_is_one_finding(url: str, word: str) -> None:
    with serve({QUEUES: []}) as server:
        case = case_at(server, FakeProbe({f"{TARGETED}.h": QueueCounts(1, 0)}))
        case.conf.set_override("management_url", url.format(address=f"127.0.0.1:{server.server_port}"), "cells")
        (finding,) = ManagementCheck().run(case)
        assert names(QueueCheck().run(case)) == []
        assert names(OrphanCheck().run(case)) == ["orphan_queue"]
    assert (finding.name, finding.subject) == ("management_unusable", "[cells] management_url")
    assert word in finding.text
    assert "wr0ng" not in str(finding.as_dict())
    assert PASSWORD not in str(finding.as_dict())


def test_a_mailbox_on_another_broker_has_another_api() -> None:
    with serve({QUEUES: SHARED, "/api/queues/box": [held(f"{TARGETED}.gone", **GONE)]}) as server:
        case = case_at(server)
        case.conf.set_override("mailbox_url", "rabbit://u:p@h/box", "cells")
        assert [row.name for row in case.held_queues.of("[cells] mailbox_url") or ()] == [f"{TARGETED}.gone"]
        other = case_at(server)
        other.conf.set_override("mailbox_url", "rabbit://u:p@elsewhere/box", "cells")
        assert other.held_queues.of("[cells] mailbox_url") is None


def test_the_api_is_asked_once() -> None:
    with serve({QUEUES: SHARED, "/api/vhosts/v": {}}) as server:
        case = case_at(server)
        for check in (ManagementCheck(), QueueCheck(), OrphanCheck(), DeadLetterCheck()):
            assert list(check.run(case)) == []
    assert server.asked.count(QUEUES) == 1
