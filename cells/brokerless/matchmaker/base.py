"""The contract of a MatchMaker: it tells which hosts serve a key, where no broker knows.

The driver of ``zmq://`` talks to this class alone.  A key is a topic (``topic``),
one server of it (``topic.server``) or all of its servers (``fanout~topic``); a
host is an opaque text, the address of a serving process.
"""

from __future__ import annotations

from typing import NamedTuple

from oslo_config import cfg

from cells.brokerless.matchmaker.bindings import Binding
from cells.brokerless.matchmaker.exchanges import Exchange, Match
from cells.exceptions import MatchMakerException

__all__ = ["MatchMakerBase", "MatchMakerException", "Rule"]


class Rule(NamedTuple):
    """What :meth:`MatchMakerBase.add_binding` was told."""

    binding: Binding
    exchange: Exchange
    is_last: bool


class MatchMakerBase:
    """A MatchMaker of fixed rules: nobody registers, everybody counts as alive.

    Loaded by name from the entry points ``cells.matchmakers``.  A constructor does
    no I/O.  All methods may be called from any thread.
    """

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        """``conf`` has the options of ``[oslo_messaging_zmq]``; those of this project's rules read none."""
        self._conf = conf
        self._rules: tuple[Rule, ...] = ()

    def add_binding(self, binding: Binding, rule: Exchange, last: bool = True) -> None:
        """Have ``rule`` resolve the keys that pass ``binding``; earlier rules are asked first.

        :param last: no later rule is asked about a key that passes
        """
        self._rules = (*self._rules, Rule(binding, rule, last))

    def queues(self, key: str) -> list[Match]:
        """``[(queue, host), ...]`` that ``key`` stands for, each host once; empty if there are none.

        Called for every message: answers from memory if it can.

        :raises cells.exceptions.MatchMakerException: that cannot be told, as the registry is away
        """
        matches: list[Match] = []
        for binding, exchange, is_last in self._rules:
            if binding.test(key):
                matches.extend(exchange.run(key))
                if is_last:
                    break
        return matches

    def register(self, key: str, host: str) -> None:
        """Make it known that ``host`` serves ``key``.  May be called again, and never fails."""

    def unregister(self, key: str, host: str) -> None:
        """Take back a registration of this process.  May be called again, and never fails."""

    def ack_alive(self, key: str, host: str) -> None:
        """``host`` has just taken a message for ``key``, so it lives.  Does no I/O."""

    def is_alive(self, topic: str, host: str) -> bool:  # noqa: ARG002  # there is no registry that would know
        """Whether ``host``, which serves ``topic``, is believed to live."""
        return True

    def expire(self, topic: str, host: str) -> None:
        """``host`` was found dead: leave it out of :meth:`queues` until it gives a new sign of life.  Does no I/O."""

    def send_heartbeats(self) -> None:
        """Tell the registry now that what was registered here still lives.  May block; never fails."""

    def start_heartbeat(self) -> None:
        """From now on, do so at intervals, and follow what others register.  May be called twice."""

    def stop_heartbeat(self) -> None:
        """Take back all registrations of this process and close connections; bounded.  May be called twice."""
