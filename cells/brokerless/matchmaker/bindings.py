"""Bindings: each selects the keys of one rule of a MatchMaker.

:class:`cells.brokerless.matchmaker.base.MatchMakerBase` goes through its rules in order and
uses the exchange of the first binding that a key passes.
"""

from __future__ import annotations

import abc

#: Prefixes of the keys of all servers of a topic.
FANOUT_PREFIXES = ("fanout~", "fanout.")


class Binding(abc.ABC):
    """Test for one kind of key.  Pure: no I/O, no state."""

    @abc.abstractmethod
    def test(self, key: str) -> bool:
        """Return whether the rule of this binding applies to ``key``."""


class DirectBinding(Binding):
    """Keys of one server of a topic: ``topic.host``.

    A fan-out key may contain a dot too: add the fan-out rule first.
    """

    def test(self, key: str) -> bool:
        return "." in key


class TopicBinding(Binding):
    """Keys of a topic, for any one of its servers: no dot."""

    def test(self, key: str) -> bool:
        return "." not in key


class FanoutBinding(Binding):
    """Keys of all servers of a topic: ``fanout~topic`` or ``fanout.topic``."""

    def test(self, key: str) -> bool:
        return key.startswith(FANOUT_PREFIXES)


def without_fanout(key: str) -> str:
    """Return the key of the servers that a fan-out key stands for; any other key unchanged."""
    prefix = next(filter(key.startswith, FANOUT_PREFIXES), "")
    return key.removeprefix(prefix)
