"""The MatchMaker of a configuration, loaded by its name from the entry points ``cells.matchmakers``."""

from __future__ import annotations

from oslo_config import cfg

from cells.brokerless.matchmaker.base import MatchMakerBase
from cells.plugins import Kind

MATCHMAKERS = Kind(
    namespace="cells.matchmakers",
    noun="MatchMaker",
    base=MatchMakerBase,
    advice="set [oslo_messaging_zmq] matchmaker to sql, redis, localhost or stub",
)


def load(conf: cfg.ConfigOpts, name: str | None = None) -> MatchMakerBase:
    """The MatchMaker ``name``, default ``[oslo_messaging_zmq] matchmaker``, made but not started.  Does no I/O.

    :raises cells.exceptions.PluginError: there is none of that name, or it does not load
    :raises cells.exceptions.ConfigurationError: an option that it reads cannot be used
    """
    return MATCHMAKERS.make(name or conf.oslo_messaging_zmq.matchmaker, conf)
