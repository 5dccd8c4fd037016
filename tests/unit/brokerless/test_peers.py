"""Peers for a message: which, in which order, and the backoff of processes that do not answer."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from cells import exceptions
from cells.brokerless import peers as module
from cells.brokerless.addresses import Address
from cells.brokerless.matchmaker import MatchMakerBase, MatchMakerLocalhost, MatchMakerStub
from cells.brokerless.peers import DirectoryPeers, FixedPeers, Peers, RegisteredPeers
from cells.brokerless.server import ALL_POOLS
from tests.cases import each
from tests.clock import Clock

KEY = "openstack~cells"
ENDPOINTS = ["tcp://10.0.0.1:1", "tcp://10.0.0.2:2", "tcp://10.0.0.3:3"]
A, B, C = (Address((endpoint,)) for endpoint in ENDPOINTS)


class Registry(MatchMakerBase):
    """A registry with fixed hosts that records the reports about them."""

    def __init__(self, *hosts: str | None) -> None:
        super().__init__()
        self.hosts = hosts
        self.reports: list[tuple[str, str, str]] = []

    def queues(self, key: str) -> list[tuple[str, str | None]]:
        return [(key, host) for host in self.hosts]

    def ack_alive(self, key: str, host: str) -> None:
        self.reports.append(("alive", key, host))

    def expire(self, topic: str, host: str) -> None:
        self.reports.append(("dead", topic, host))


def firsts(peers: Peers, count: int, key: str = KEY) -> list[Address]:
    return [peers.find(key)[0] for _ in range(count)]


def test_peers_take_turns() -> None:
    peers = FixedPeers(ENDPOINTS)
    assert firsts(peers, 6) == [A, B, C, A, B, C]
    assert sorted(map(str, peers.find(KEY))) == ENDPOINTS


def test_each_key_has_its_own_turns() -> None:
    peers = FixedPeers(ENDPOINTS[:2])
    found = [(key, peers.find(key)[0]) for _ in range(10) for key in ("one", "two")]
    assert Counter(found) == {(key, address): 5 for key in ("one", "two") for address in (A, B)}


def test_asking_for_pools_takes_no_turn() -> None:
    peers = FixedPeers(ENDPOINTS)
    for _ in range(3):
        assert peers.pools(KEY) == [""]
    assert firsts(peers, 3) == [A, B, C]


def test_peer_that_does_not_answer_comes_last_until_it_does() -> None:
    peers = FixedPeers(ENDPOINTS)
    peers.unreachable(KEY, B)
    assert [peers.find(KEY)[-1] for _ in range(6)] == [B] * 6
    peers.delivered(KEY, B)
    assert B in firsts(peers, 3)


def test_peers_are_tried_even_if_all_are_in_backoff() -> None:
    peers = FixedPeers(ENDPOINTS)
    for address in (A, B, C):
        peers.unreachable(KEY, address)
    assert set(peers.find(KEY)) == {A, B, C}


def test_backoff_ends_and_doubles_up_to_a_maximum(clock: Clock) -> None:
    peers = FixedPeers(ENDPOINTS, clock)
    backoffs = []
    for _ in range(8):
        peers.unreachable(KEY, A)
        began = clock.now
        while A not in firsts(peers, 3):
            clock.now += 0.5
        backoffs.append(clock.now - began)
    assert backoffs == [1, 2, 4, 8, 16, 30, 30, 30]
    peers.delivered(KEY, A)
    peers.unreachable(KEY, A)
    clock.now += module.FIRST_BACKOFF_SECONDS
    assert A in firsts(peers, 3)


def test_backoffs_of_stopped_processes_are_dropped(clock: Clock) -> None:
    peers = FixedPeers(ENDPOINTS, clock)
    for number in range(1000):
        peers.unreachable(KEY, Address((f"ipc:///run/{number}.sock",)))
        clock.now += 1.0
    assert len(peers._backoffs) < 3 * module.MAX_BACKOFF_SECONDS


@each("key", ["notify~openstack~n%2Einfo", KEY])
def test_process_is_asked_for_one_listener_in_each_pool(sockets: Path, key: str) -> None:
    (sockets / "a.sock").touch()
    pools = [ALL_POOLS] if key != KEY else [""]
    for peers in (FixedPeers(ENDPOINTS), DirectoryPeers(sockets)):
        assert peers.pools(key) == pools
        assert {address.pool for address in peers.find(key)} == set(pools)
        assert peers.find(key, pool="audit") == []


def test_directory_lists_its_current_sockets(sockets: Path) -> None:
    peers = DirectoryPeers(sockets)
    assert peers.find(KEY) == []
    for name in ("a.sock", "b.sock"):
        (sockets / name).touch()
    assert set(peers.find(KEY)) == {Address((f"ipc://{sockets}/{name}.sock",)) for name in "ab"}
    (sockets / "a.sock").unlink()
    assert peers.find(KEY) == [Address((f"ipc://{sockets}/b.sock",))]


def test_directory_that_changes_twice_within_one_tick_is_read_again(sockets: Path) -> None:
    peers, changed_at = DirectoryPeers(sockets), time.time_ns()
    for number in range(3):
        (sockets / f"{number}.sock").touch()
        os.utime(sockets, ns=(changed_at, changed_at))
        assert len(peers.find(KEY)) == number + 1


def test_unchanged_directory_is_not_read_for_each_message(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sockets / "a.sock").touch()
    os.utime(sockets, (1, 1))
    peers = DirectoryPeers(sockets)
    found = peers.find(KEY)
    monkeypatch.setattr(os, "listdir", None)
    assert peers.find(KEY) == found


def test_error_names_a_missing_directory(sockets: Path) -> None:
    with pytest.raises(exceptions.MatchMakerException, match=f"{sockets}/none"):
        DirectoryPeers(sockets / "none").find(KEY)


def test_registered_peers_are_found_with_their_pools() -> None:
    registry = Registry(f"{ENDPOINTS[0]}@audit", f"{ENDPOINTS[0]}@", f"ipc:///a%40b/c.sock,{ENDPOINTS[1]}")
    peers = RegisteredPeers(registry, FixedPeers([]))
    both = Address(("ipc:///a@b/c.sock", ENDPOINTS[1]))
    assert set(peers.find(KEY)) == {A, Address(A.endpoints, "audit"), both}
    assert peers.pools(KEY) == ["", "audit"]
    assert peers.find(KEY, pool="audit") == [Address(A.endpoints, "audit")]


@each("registry", [MatchMakerStub(), MatchMakerLocalhost(), Registry("node-1")])
def test_registry_without_addresses_means_all_local_processes(registry: MatchMakerBase) -> None:
    peers = RegisteredPeers(registry, FixedPeers(ENDPOINTS))
    assert firsts(peers, 6) == [A, B, C, A, B, C]
    assert set(peers.find(KEY)) == {A, B, C}
    two = RegisteredPeers(registry, FixedPeers(ENDPOINTS[:2]))
    assert firsts(two, 4) == [A, B, A, B]


def test_registry_is_told_which_hosts_are_alive_and_dead() -> None:
    registry = Registry(ENDPOINTS[0], ENDPOINTS[1])
    peers = RegisteredPeers(registry, FixedPeers([]))
    peers.delivered(KEY, A)
    peers.unreachable(f"fanout~{KEY}", B)
    assert registry.reports == [("alive", KEY, str(A)), ("dead", KEY, str(B))]
    assert [peers.find(KEY)[-1] for _ in range(4)] == [B] * 4


def test_directory_that_other_users_may_write_to_is_not_trusted(sockets: Path) -> None:
    (sockets / "1.sock").touch()
    peers = DirectoryPeers(sockets)
    assert len(peers.find(KEY)) == 1
    sockets.chmod(0o777)
    with pytest.raises(exceptions.MatchMakerException, match=str(sockets)):
        peers.find(KEY)
