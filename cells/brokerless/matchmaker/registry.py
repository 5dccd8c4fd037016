"""The MatchMaker of a configuration, loaded by its name from the entry points ``cells.matchmakers``."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg
from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from cells import exceptions
from cells.brokerless.matchmaker.base import MatchMakerBase

NAMESPACE = "cells.matchmakers"


def load(conf: cfg.ConfigOpts, name: str | None = None) -> MatchMakerBase:
    """The MatchMaker ``name``, default ``[oslo_messaging_zmq] matchmaker``, made but not started.  Does no I/O.

    :raises cells.exceptions.PluginError: there is none of that name, or it does not load
    :raises cells.exceptions.ConfigurationError: an option that it reads can not be used
    """
    name = name or conf.oslo_messaging_zmq.matchmaker
    try:
        loaded: Any = stevedore_driver.DriverManager(NAMESPACE, name, on_load_failure_callback=_refuse)
    except stevedore_exception.NoMatches as error:
        raise exceptions.PluginError(
            f"There is no MatchMaker {name!r}: install the package that brings it, or set "
            "[oslo_messaging_zmq] matchmaker to sql, redis, localhost or stub."
        ) from error
    try:
        made = loaded.driver(conf)
    except exceptions.CellsError:
        raise
    except Exception as error:  # of a constructor of any kind
        raise exceptions.PluginError(
            f"The MatchMaker {name!r} can not be made: {type(error).__name__}: {error}."
        ) from error
    if not isinstance(made, MatchMakerBase):
        raise exceptions.PluginError(f"The MatchMaker {name!r} is no MatchMakerBase but {type(made).__name__}.")
    return made


def _refuse(_manager: object, entry_point: object, error: BaseException) -> None:
    raise exceptions.PluginError(
        f"The MatchMaker {getattr(entry_point, 'name', entry_point)!r} can not be loaded: {error}."
    ) from error
