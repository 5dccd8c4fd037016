"""MatchMakers: they find the hosts that serve a topic, where no broker does.

The driver of ``zmq://`` calls :func:`load`; ``sql`` and ``redis`` are loaded by name, so
that their libraries are imported only if needed.
"""

from cells.brokerless.matchmaker.base import MatchMakerBase, MatchMakerException
from cells.brokerless.matchmaker.bindings import Binding, DirectBinding, FanoutBinding, TopicBinding
from cells.brokerless.matchmaker.exchanges import DirectExchange, Exchange, LocalhostExchange, StubExchange
from cells.brokerless.matchmaker.heartbeat import HeartbeatMatchMakerBase
from cells.brokerless.matchmaker.localhost import MatchMakerLocalhost
from cells.brokerless.matchmaker.registry import load
from cells.brokerless.matchmaker.stub import MatchMakerStub

__all__ = [
    "Binding",
    "DirectBinding",
    "DirectExchange",
    "Exchange",
    "FanoutBinding",
    "HeartbeatMatchMakerBase",
    "LocalhostExchange",
    "MatchMakerBase",
    "MatchMakerException",
    "MatchMakerLocalhost",
    "MatchMakerStub",
    "StubExchange",
    "TopicBinding",
    "load",
]
