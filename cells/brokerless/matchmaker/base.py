"""MatchMakerBase: the contract of a MatchMaker, which finds the hosts that serve a key.

The driver of ``zmq://`` calls only the methods of this class.  A key is a topic (``topic``),
one server of it (``topic.server``) or all of its servers (``fanout~topic``); a host is an
opaque text, the address of a serving process.
"""

from __future__ import annotations

from typing import NamedTuple

from oslo_config import cfg

from cells.brokerless.matchmaker.bindings import Binding
from cells.brokerless.matchmaker.exchanges import Exchange, Match
from cells.exceptions import MatchMakerException

__all__ = ["MatchMakerBase", "MatchMakerException", "Rule"]


class Rule(NamedTuple):
    """Arguments of :meth:`MatchMakerBase.add_binding`."""

    binding: Binding
    exchange: Exchange
    is_last: bool


class MatchMakerBase:
    """A MatchMaker with fixed rules: no registrations, every host counts as alive.

    Loaded by name from the entry points ``cells.matchmakers``.  The constructor does
    no I/O.  All methods may be called from any thread.
    """

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        """``conf`` has the options of ``[oslo_messaging_zmq]``; MatchMakers with fixed rules read none."""
        self._conf = conf
        self._rules: tuple[Rule, ...] = ()

    def add_binding(self, binding: Binding, rule: Exchange, last: bool = True) -> None:
        """Resolve the keys that pass ``binding`` with ``rule``, after the rules that were added before.

        :param last: skip later rules for a key that passes
        """
        self._rules = (*self._rules, Rule(binding, rule, last))

    def queues(self, key: str) -> list[Match]:
        """Return ``[(queue, host), ...]`` for ``key``, each host once; empty if there are none.

        Called for every message: answers from memory if possible.

        :raises cells.exceptions.MatchMakerException: the registry is unavailable and nothing is known of ``key``
        """
        matches: list[Match] = []
        for binding, exchange, is_last in self._rules:
            if binding.test(key):
                matches.extend(exchange.run(key))
                if is_last:
                    break
        return matches

    def register(self, key: str, host: str) -> None:
        """Register ``host`` as a server of ``key``.  May be called again; never raises."""

    def unregister(self, key: str, host: str) -> None:
        """Withdraw a registration of this process.  May be called again; never raises."""

    def ack_alive(self, key: str, host: str) -> None:
        """Record that ``host`` has just accepted a message for ``key``, so it is alive.  Does no I/O."""

    def is_alive(self, topic: str, host: str) -> bool:  # noqa: ARG002  # without a registry every host counts as alive
        """Return whether ``host``, which serves ``topic``, is considered alive."""
        return True

    def expire(self, topic: str, host: str) -> None:
        """Record that ``host`` is dead: leave it out of :meth:`queues` until its next sign of life.  Does no I/O."""

    def send_heartbeats(self) -> None:
        """Write a heartbeat of all registrations of this process now.  May block; never raises."""

    def start_heartbeat(self) -> None:
        """Start to write heartbeats and to follow the registry at intervals.  May be called twice."""

    def stop_heartbeat(self) -> None:
        """Withdraw all registrations of this process and close connections; bounded.  May be called twice."""
