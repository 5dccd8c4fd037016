"""Every patch is applicable to the installed libraries, reported at start, and can be switched off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.conf.cells import PATCHES as NAMES
from cells.transport.patches.base import Patch
from cells.transport.patches.registry import PATCHES
from tests.cases import each

APPLY = """
import logging, sys
from cells.transport.patches import registry
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
registry.apply_all(["prefetch", "direct_replies"])
print(sorted(patch.name for patch in registry.PATCHES if patch.is_active))
"""


@each("patch", PATCHES, ids=lambda patch: patch.name)
def test_it_is_applicable_to_the_installed_release(patch: Patch) -> None:
    assert patch.is_applicable
    name, version = patch.release.split()
    assert name in ("oslo.messaging", "kombu", "amqp")
    assert version[0].isdigit()


def test_the_option_names_every_patch() -> None:
    assert [patch.name for patch in PATCHES] == list(NAMES)


def test_every_patch_is_reported_at_start() -> None:
    # In a process of its own: patches stay for as long as the process lives.
    done = subprocess.run([sys.executable, "-c", APPLY], capture_output=True, text=True, timeout=50, check=True)
    *lines, active = done.stdout.splitlines()
    disabled = {"direct_replies", "prefetch"}
    assert active == str([name for name in NAMES if name not in disabled])
    assert {line.split()[2] for line in lines if "switched off" in line} == {f"{name}:" for name in disabled}
    (applied,) = (line for line in lines if "applied to" in line)
    assert {word.rstrip(",;.") for word in applied.split()} & set(NAMES) == set(NAMES) - disabled


class Missing(Patch):
    """A patch for a library that has lost a part."""

    name = "missing"

    def _is_applicable(self) -> bool:
        raise AttributeError("lost")

    def _install(self) -> None:
        raise AssertionError("It is not applicable")


class Counting(Patch):
    name = "reachability"
    installed = 0

    def _is_applicable(self) -> bool:
        return True

    def _install(self) -> None:
        self.installed += 1


def test_a_patch_that_is_not_applicable_changes_nothing() -> None:
    patch = Missing()
    assert not patch.apply()
    assert not patch.is_active


def test_a_patch_is_applied_once_and_not_when_it_is_disabled() -> None:
    patch = Counting()
    patch.is_disabled = True
    assert not patch.apply()
    patch.is_disabled = False
    assert patch.apply()
    assert patch.apply()
    assert patch.installed == 1


def test_the_configuration_of_a_client_switches_a_patch_off_for_its_transports() -> None:
    conf = cells_conf.load([])
    assert not Counting().is_disabled_by(conf)
    conf.set_override("disabled_patches", ["reachability"], group="cells")
    assert Counting().is_disabled_by(conf)
    assert not Missing().is_disabled_by(conf)


def test_an_unknown_patch_is_an_error_of_the_configuration(tmp_path: object) -> None:
    path = f"{tmp_path}/cells.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write("[cells]\ndisabled_patches = prefetch,warp\n")
    with pytest.raises(exceptions.ConfigurationError, match="disabled_patches"):
        cells_conf.load([path])
