"""MatchMakerStub: keys stay as they are, and no host is known.  For tests, and for whoever finds hosts himself."""

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
