"""The drivers of this manager by name, each loaded when it is first needed."""

from __future__ import annotations

import threading
from typing import Any

from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from cells import exceptions
from cells.drivers.base import BaseCellsDriver, DriverSettings

NAMESPACE = "cells.drivers"


class Drivers:
    """Loads drivers from the entry points ``cells.drivers`` and keeps one of each."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._drivers: dict[str, BaseCellsDriver] = {}

    def get(self, name: str) -> BaseCellsDriver:
        """:raises cells.exceptions.PluginError: there is no such driver, or it does not load"""
        with self._lock:
            driver = self._drivers.get(name)
            if driver is None:
                driver = self._drivers[name] = self._load(name)
            return driver

    def _load(self, name: str) -> BaseCellsDriver:
        try:
            loaded: Any = stevedore_driver.DriverManager(NAMESPACE, name, on_load_failure_callback=_refuse)
        except stevedore_exception.NoMatches as error:
            raise exceptions.PluginError(
                f"There is no driver {name!r}: install the package that brings it, or correct the name with "
                '"cells neighbor set NAME --driver ...".'
            ) from error
        try:
            built = loaded.driver(self._settings)
        except exceptions.CellsError:
            raise
        except Exception as error:  # of a constructor of any kind
            raise exceptions.PluginError(
                f"The driver {name!r} can not be made: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(built, BaseCellsDriver):
            raise exceptions.PluginError(f"The driver {name!r} is no BaseCellsDriver but {type(built).__name__}.")
        return built

    def close(self) -> None:
        """Close what the drivers have open toward neighbours."""
        with self._lock:
            drivers = list(self._drivers.values())
        for driver in drivers:
            driver.close()


def _refuse(_manager: object, entry_point: object, error: BaseException) -> None:
    raise exceptions.PluginError(
        f"The driver {getattr(entry_point, 'name', entry_point)!r} can not be loaded: {error}."
    ) from error
