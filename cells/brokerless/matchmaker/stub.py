"""MatchMakerStub: returns keys unchanged, without a host.  For tests, and for callers that find hosts themselves."""

from __future__ import annotations

from oslo_config import cfg

from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding
from cells.brokerless.matchmaker.exchanges import StubExchange


class MatchMakerStub(MatchMakerBase):
    """``queues(key)`` is ``[(key, None)]`` for every key."""

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        super().__init__(conf)
        for binding in (FanoutBinding(), DirectBinding(), TopicBinding()):
            self.add_binding(binding, StubExchange())
