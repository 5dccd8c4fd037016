"""Bindings: which keys a rule of a MatchMaker is for.

A MatchMaker goes through its rules in order and takes the exchange of the first
binding that a key passes; :mod:`cells.brokerless.matchmaker.base` does so.
"""

from __future__ import annotations

import abc

#: What a key begins with that stands for all servers of a topic.
FANOUT_PREFIXES = ("fanout~", "fanout.")


class Binding(abc.ABC):
    """Tells whether a key is of one kind.  Pure: no I/O, no state."""

    @abc.abstractmethod
    def test(self, key: str) -> bool:
        """Whether the rule that this binding stands for is for ``key``."""


class DirectBinding(Binding):
    """Keys of one server of a topic: ``topic.host``.

    A fan-out key may have a dot too: put the rule for those first.
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
    """The key whose servers a fan-out key stands for; any other key as it is."""
    for prefix in FANOUT_PREFIXES:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key
