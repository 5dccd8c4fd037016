"""The drivers of this manager by name, each loaded on first use."""

from __future__ import annotations

import threading

from cells.drivers.base import BaseCellsDriver, DriverSettings
from cells.plugins import Kind

DRIVERS: Kind[BaseCellsDriver] = Kind(
    namespace="cells.drivers",
    noun="driver",
    base=BaseCellsDriver,  # type: ignore[type-abstract]  # each plug-in is a subclass
    advice='correct the name with "cells neighbor set NAME --driver ..."',
)


class Drivers:
    """Drivers from the entry points ``cells.drivers``, one instance of each.  Thread-safe."""

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._drivers: dict[str, BaseCellsDriver] = {}

    def get(self, name: str) -> BaseCellsDriver:
        """Return the driver ``name``.

        :raises cells.exceptions.PluginError: there is no such driver, or it does not load
        """
        with self._lock:
            driver = self._drivers.get(name)
            if driver is None:
                driver = self._drivers[name] = DRIVERS.make(name, self._settings)
            return driver

    def close(self) -> None:
        """Close the connections of all drivers to neighbors."""
        with self._lock:
            drivers = list(self._drivers.values())
        for driver in drivers:
            driver.close()
