"""Drivers are found by their names among the installed packages, and made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from stevedore import extension

from cells import conf as cells_conf
from cells import exceptions
from cells.drivers.base import DriverSettings
from cells.drivers.memory import MemoryDriver
from cells.drivers.registry import DRIVERS, Drivers
from cells.drivers.rpc import CellsRPCDriver


@pytest.fixture
def drivers() -> Drivers:
    conf = cells_conf.load([])
    return Drivers(DriverSettings(conf, "host", "memory://bus/api", ("response", "broadcast", "targeted")))


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with entry points that are no drivers."""
    metadata = tmp_path / "strange_drivers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-drivers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{DRIVERS.namespace}]\nbroken = strange_drivers:missing\nlist = strange_drivers:make\n"
        "fragile = strange_drivers:fail\n"
    )
    (tmp_path / "strange_drivers.py").write_text(
        "def make(settings):\n    return [settings]\n\n\ndef fail(settings):\n    raise KeyError('wings')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(extension.ExtensionManager, "ENTRY_POINT_CACHE", {})


def test_each_driver_is_made_once(drivers: Drivers) -> None:
    assert isinstance(drivers.get("memory"), MemoryDriver)
    assert isinstance(drivers.get("rpc"), CellsRPCDriver)
    assert drivers.get("memory") is drivers.get("memory")
    drivers.close()
    drivers.close()


def test_unknown_driver_is_named(drivers: Drivers) -> None:
    with pytest.raises(exceptions.PluginError, match="'pigeon'"):
        drivers.get("pigeon")


@pytest.mark.usefixtures("plug_in")
def test_driver_that_does_not_load_is_named(drivers: Drivers) -> None:
    with pytest.raises(exceptions.PluginError, match="'broken'"):
        drivers.get("broken")


@pytest.mark.usefixtures("plug_in")
def test_driver_that_cannot_be_made_is_named(drivers: Drivers) -> None:
    with pytest.raises(exceptions.PluginError, match=r"'fragile'.*KeyError: 'wings'"):
        drivers.get("fragile")


@pytest.mark.usefixtures("plug_in")
def test_a_plug_in_that_is_no_driver_is_refused(drivers: Drivers) -> None:
    with pytest.raises(exceptions.PluginError, match=r"'list'.*BaseCellsDriver"):
        drivers.get("list")
