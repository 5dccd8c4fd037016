"""MatchMakerLocalhost: this machine serves every topic.  For a machine without a registry, and for tests."""

from __future__ import annotations

from oslo_config import cfg

from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.brokerless.matchmaker.bindings import DirectBinding, FanoutBinding, TopicBinding
from cells.brokerless.matchmaker.exchanges import DirectExchange, LocalhostExchange


class MatchMakerLocalhost(MatchMakerBase):
    """Resolves a topic and its fan-out key to this host, ``topic.host`` to the host in the key."""

    def __init__(self, conf: cfg.ConfigOpts | None = None, host: str = "localhost") -> None:
        super().__init__(conf)
        self.add_binding(FanoutBinding(), LocalhostExchange(host))
        self.add_binding(DirectBinding(), DirectExchange())
        self.add_binding(TopicBinding(), LocalhostExchange(host))
