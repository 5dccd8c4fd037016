"""Loader of the configured MatchMaker, by its name in the entry points ``cells.matchmakers``."""

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
    """Return the MatchMaker ``name``, default ``[oslo_messaging_zmq] matchmaker``, not yet started.  Does no I/O.

    :raises cells.exceptions.PluginError: no MatchMaker has this name, or it cannot be loaded
    :raises cells.exceptions.ConfigurationError: an option of the MatchMaker is wrong
    """
    return MATCHMAKERS.make(name or conf.oslo_messaging_zmq.matchmaker, conf)
