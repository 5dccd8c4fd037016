from __future__ import annotations

import pytest

from cells.brokerless.matchmaker.known_hosts import FOLLOWED_SECONDS, REMEMBERED_SECONDS, KnownHosts
from tests.clock import Clock

TTL_SECONDS = 15.0
KEY = "topic"


@pytest.fixture
def known(clock: Clock) -> KnownHosts:
    known = KnownHosts(TTL_SECONDS, clock)
    known.alive(KEY)
    return known


def test_key_that_was_not_used_lately_must_be_queried(clock: Clock) -> None:
    known = KnownHosts(TTL_SECONDS, clock)
    assert known.alive(KEY) is None
    assert known.followed() == [KEY]
    known.store({KEY: {"a": 0}}, clock.now)
    assert known.alive(KEY) == ("a",)
    clock.now += FOLLOWED_SECONDS + 1
    assert known.followed() == []
    assert known.alive(KEY) is None
    assert known.alive_at_last(KEY) == ("a",)
    assert known.alive(KEY) == ("a",)


def test_unused_key_is_dropped_after_a_long_time(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0}}, clock.now)
    clock.now += REMEMBERED_SECONDS
    known.prune()
    assert known.alive_at_last(KEY) == ("a",)
    clock.now += 1
    known.prune()
    assert known.alive_at_last(KEY) == ()


def test_latest_answer_remains_valid_however_old(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 1, "b": TTL_SECONDS + 1}}, clock.now)
    clock.now += 100 * TTL_SECONDS
    known.prune()
    assert known.alive_at_last(KEY) == ("a",)


def test_answer_replaces_an_older_answer_only(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0}}, clock.now)
    known.store({KEY: {"b": 0}}, clock.now - 1)
    assert known.alive(KEY) == ("a",)
    known.store({KEY: {"b": 0}}, clock.now + 1)
    assert known.alive(KEY) == ("b",)
    assert known.asked_at(KEY) == clock.now + 1
    assert known.asked_at("other") is None


def test_own_hosts_are_alive_without_a_heartbeat(known: KnownHosts, clock: Clock) -> None:
    known.set_own([(KEY, "own"), ("other", "own")])
    assert known.alive(KEY) == ("own",)
    known.store({KEY: {"a": 0, "own": TTL_SECONDS + 1}}, clock.now)
    assert known.alive(KEY) == ("own", "a")
    known.set_own([("other", "own")])
    assert known.alive(KEY) == ("a",)


def test_host_that_no_longer_serves_a_key(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0, "b": 0}, "other": {"a": 0}}, clock.now)
    known.forget(KEY, "a")
    known.forget(KEY, "unknown")
    known.forget("never queried", "a")
    assert known.alive_at_last(KEY) == ("b",)
    assert known.alive_at_last("other") == ("a",)


def test_accepted_message_counts_as_a_sign_of_life_for_the_ttl(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": TTL_SECONDS + 1}}, clock.now)
    assert known.alive(KEY) == ()
    known.deliver("a")
    assert known.alive(KEY) == ("a",)
    assert known.is_delivered("a")
    clock.now += TTL_SECONDS
    known.prune()
    assert known.alive(KEY) == ("a",)
    clock.now += 1
    known.prune()
    assert known.alive(KEY) == ()
    assert not known.is_delivered("a")


def test_dead_host_returns_with_a_later_heartbeat(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0, "b": 0}}, clock.now)
    clock.now += 1
    known.expire("a")
    assert known.alive(KEY) == ("b",)
    assert known.is_expired("a")
    clock.now += 5
    known.store({KEY: {"a": 5.5, "b": 0}}, clock.now)
    assert known.alive(KEY) == ("b",)
    known.store({KEY: {"a": 4.5, "b": 0}}, clock.now)
    assert known.alive(KEY) == ("a", "b")
    assert not known.is_expired("a")


def test_dead_host_returns_with_an_accepted_message_or_another_sign(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0}}, clock.now)
    for sign in (lambda: known.deliver("a"), lambda: known.revive(["a", "b"])):
        known.expire("a")
        assert known.alive(KEY) == ()
        assert not known.is_delivered("a")
        sign()
        assert known.alive(KEY) == ("a",)


def test_host_is_removed_only_if_its_last_heartbeat_was_before_its_death(known: KnownHosts, clock: Clock) -> None:
    asked_at = clock.now
    clock.now += 0.5  # duration of the query
    known.store({KEY: {"a": 3, "b": 0, "c": 3}, "other": {"a": 2}}, asked_at)
    clock.now += 1
    known.expire("a")
    assert known.found_dead() == {"a": ([(KEY, "a"), ("other", "a")], 3.0)}

    known.store({KEY: {"b": 0}}, clock.now)
    asked_at = clock.now
    known.expire("b")
    clock.now += 1
    known.store({KEY: {"b": 0.3}}, asked_at)
    assert known.found_dead().keys() == {"a"}, "b may have sent a later heartbeat"
    assert known.is_expired("b")


def test_late_host_that_accepts_messages(known: KnownHosts, clock: Clock) -> None:
    ages = {"late": 12, "punctual": 1, "late and silent": 12}
    known.store({KEY: ages}, clock.now)
    known.deliver("late")
    known.deliver("punctual")
    assert known.late_but_alive(10) == [(KEY, "late")]
    clock.now += 20
    assert known.late_but_alive(10) == []


def test_dead_hosts_use_a_limited_amount_of_memory(known: KnownHosts, clock: Clock) -> None:
    known.store({KEY: {"a": 0}}, clock.now)
    for host in ("a", "gone"):
        known.expire(host)
    clock.now += TTL_SECONDS + 1
    known.prune()
    assert known.is_expired("a")
    assert not known.is_expired("gone")
