"""Messages that a real manager sends to and reads from a real broker under each cap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.rpcapi import CellsAPI
from tests.integration import recording_neighbor
from tests.integration.clients import ConnectTo
from tests.integration.processes import OPTIONS, make_manager, merged
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.recording_neighbor import Cast, RecordingNeighbor, batches, flattened
from tests.integration.transports import CellTransport
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
#: Keys of a request besides Nova's keys, by version.
KEYS = {
    "1.0": set[str](),
    "1.1": {"time_left", "reply_server"},
    "1.2": {"time_left", "reply_server"},
    "1.3": {"time_left", "reply_server", "payload"},
    "1.4": {"time_left", "reply_server", "payload"},
}
#: Keys of a call from a client on RabbitMQ.
CLIENT = "reply_to"
TEXTS = {"ctxt", "method_kwargs"}
NOVA = {
    *("message_type", "method_name", "direction", "need_response", "fanout", "uuid"),
    *("routing_path", "hop_count", "max_hop_count"),
}
MANY = 60


class Pair:
    """Real manager of ``api`` and the recording neighbor below it."""

    def __init__(self, directory: Path, rabbitmq: VirtualHostPool, connect_to: ConnectTo) -> None:
        self._directory = directory
        self._connect_to = connect_to
        url = rabbitmq.take()
        self._transport = CellTransport(url, url, {})
        self._cap = self._neighbor_cap = ""
        self.api = self._make("auto")
        conf = cells_conf.load([self.api.config_file])
        self.east_url = rabbitmq.take()
        migration.sync(conf)
        database = Database(conf)
        database.create(Neighbor("east", self.east_url, is_parent=False))
        database.close()
        self.conf = conf
        self.parent_url = url
        self.east: RecordingNeighbor
        self.client: CellsAPI

    def _make(self, cap: str) -> ManagerProcess:
        quiet = {"cells": {"announce_interval": 3600, "db_check_interval": 3600}, "upgrade_levels": {"intercell": cap}}
        return make_manager(self._directory, "api", self._transport, options=merged(OPTIONS, quiet))

    def run_under(self, cap: str) -> None:
        """Run the manager with this cap for all neighbors."""
        if cap == self._cap:
            return
        self.api.kill()
        self.api = self._make(cap)
        self.api.start()
        self.api.wait_ready()
        if not self._cap:
            self.client = self._connect_to(self.api)
        self._cap = cap

    def cap(self, version: str) -> None:
        """Set the cap of the neighbor while the manager runs, like an operator."""
        if version == self._neighbor_cap:
            return
        self.api.succeed("neighbor", "set", "east", "--version-cap", version)
        self.api.hup()
        self._neighbor_cap = version

    def wait_for_version(self, version: str, announced: str = "1.4") -> None:
        def link() -> tuple[Any, Any]:
            (found,) = self.client.call({}, "api", "links")["links"]
            return found["spoken"], found["announced"]

        poll(lambda: link() == (version, announced), f"api speaks {version} with east, which has announced {announced}")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool, connect_to: ConnectTo) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("versions"), rabbitmq, connect_to)
    with recording_neighbor.recording(pair.conf, pair.east_url, pair.parent_url) as pair.east:
        try:
            yield pair
        finally:
            pair.api.kill()


@pytest.mark.parametrize("version", VERSIONS)
def test_cap_for_all_neighbors(pair: Pair, version: str) -> None:
    pair.run_under(version)
    pair.wait_for_version(version)
    check(pair, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_cap_of_one_neighbor(pair: Pair, version: str) -> None:
    pair.run_under("auto")
    pair.cap(version)
    pair.wait_for_version(version)
    check(pair, version)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
def test_a_link_follows_the_announced_version(pair: Pair, version: str) -> None:
    pair.run_under("auto")
    pair.cap("auto")
    pair.east.announced = version
    pair.east.announce()
    pair.wait_for_version(version, announced=version)
    check(pair, version)
    pair.east.announced = "1.4"
    pair.east.announce()
    pair.wait_for_version("1.4")
    check_call(pair, "1.4")


def check(pair: Pair, version: str) -> None:
    """Check the messages in both directions under this version."""
    check_call(pair, version)
    check_broadcast(pair, version)
    check_answers(pair, version)


def check_call(pair: Pair, version: str) -> None:
    method = f"look {version}"
    before = len(pair.east.casts(method_name=method))
    assert pair.client.call({"user_id": "ada"}, "east", method, {"disk": 1}, timeout=20) == "what east says"
    (cast,) = pair.east.casts(method_name=method)[before:]
    check_form(cast, version, NOVA | {"target_cell"} | ({CLIENT} if version >= "1.4" else set()))
    (message,) = cast.messages
    assert (message["routing_path"], message["target_cell"]) == ("api", "api!east")
    if version >= "1.1":
        # Remaining seconds, minus the share of this cell.
        assert 15 < message["time_left"] < 20
        assert message["reply_server"] == pair.api.host
    if version >= "1.4":
        request_id, _, queue = message[CLIENT].partition("@")
        assert len(request_id) == 32
        assert queue.startswith("reply_")


def check_broadcast(pair: Pair, version: str) -> None:
    method = f"survey {version}"
    before = len(pair.east.casts(method_name=method))
    answers = pair.client.broadcast_call({}, method, timeout=20, run_locally=False)
    assert {answer.cell: answer.value for answer in answers} == {
        "api!east": "what east says",
        "api!east!az1": "what az1 says",
    }
    assert len(answers) == 2
    (cast,) = pair.east.casts(method_name=method)[before:]
    check_form(cast, version, NOVA | ({"stream"} if version >= "1.2" else set()))


def check_answers(pair: Pair, version: str) -> None:
    """Send many concurrent calls from the neighbor."""
    expected = pair.east.call(version, "ping", MANY)

    def answers() -> list[Cast]:
        return [cast for cast in pair.east.casts(message_type="response") if cast.messages[0]["response_uuid"] in ids]

    ids = set(expected)
    copies = 1 if version >= "1.1" else len(recording_neighbor.HOSTS["response"])
    poll(lambda: len(flattened(answers())) >= copies * MANY, "all are answered")
    came = answers()
    assert sorted(one["response_uuid"] for one in flattened(came)) == sorted(expected * copies)
    # Below 1.1 the answer goes to all managers of the cell, from 1.1 on only to the calling manager.
    assert {cast.host for cast in came} == ({"east-2"} if version >= "1.1" else {"east-1", "east-2"})
    assert {one["fanout"] for one in flattened(came)} == {version < "1.1"}
    assert max(batches(came)) > 1 if version >= "1.3" else set(batches(came)) == {1}
    keys = NOVA | {"target_cell", "response_uuid"}
    for cast in came:
        check_form(cast, version, keys, KEYS[version] - {"time_left"})


def check_form(cast: Cast, version: str, keys: set[str], added: set[str] | None = None) -> None:
    assert (cast.method, cast.version) == ("process_messages" if version >= "1.3" else "process_message", version)
    texts = set() if version >= "1.3" else TEXTS
    for message in cast.messages:
        assert message.keys() == keys | texts | (KEYS[version] if added is None else added)
