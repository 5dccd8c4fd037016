"""The drivers of this manager by name, each loaded on first use."""

from __future__ import annotations

import threading
from collections.abc import Mapping

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
        driver = self._drivers.get(name)
        if driver is not None:
            # Asked for each message.
            return driver
        with self._lock:
            driver = self._drivers.get(name)
            if driver is None:
                driver = self._drivers[name] = DRIVERS.make(name, self._settings)
            return driver

    def loaded(self) -> dict[str, BaseCellsDriver]:
        """Return the drivers that are loaded, by name."""
        with self._lock:
            return dict(self._drivers)

    def looked_at(self) -> Mapping[str, float]:
        """Return :meth:`~cells.drivers.base.BaseCellsDriver.looked_at` of all drivers together.  Never blocks."""
        found: dict[str, float] = {}
        for driver in list(self._drivers.values()):
            found.update(driver.looked_at())
        return found

    def close(self) -> None:
        """Close the connections of all drivers to neighbors."""
        for driver in self.loaded().values():
            driver.close()
