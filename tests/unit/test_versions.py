"""The versions of the inter-cell API, and what a cap may say."""

from __future__ import annotations

import pytest
from oslo_messaging import Target
from oslo_utils import versionutils

from cells import exceptions
from cells.versions import AUTO, CURRENT, HISTORY, VERSION_ALIASES, lowest, read_cap, readable_by, resolve_cap, speaks
from tests.cases import each


def test_versions_rise_and_say_what_they_add() -> None:
    numbers = [versionutils.convert_version_to_tuple(version) for version in HISTORY]
    assert numbers == sorted(set(numbers))
    assert all(version.adds.strip() and version.below.strip() for version in HISTORY.values())
    assert next(iter(HISTORY)) == "1.0"
    assert list(HISTORY)[-1] == CURRENT


def test_every_alias_is_a_version_that_there_is() -> None:
    assert set(VERSION_ALIASES.values()) <= HISTORY.keys()
    assert VERSION_ALIASES["grizzly"] == VERSION_ALIASES["stein"] == "1.0"
    assert all(name == name.lower().strip() for name in VERSION_ALIASES)


def test_a_current_manager_takes_messages_of_every_version() -> None:
    for version in HISTORY:
        assert versionutils.is_compatible(version, Target(version=CURRENT).version)


@each("cap", [None, AUTO, " Auto "])
def test_without_a_cap_each_neighbor_decides(cap: str | None) -> None:
    assert resolve_cap(cap) is None


def test_a_neighbors_cap_may_be_auto() -> None:
    assert read_cap(" AUTO ") == AUTO
    assert read_cap("cells-0.1") == "1.0"


@each(
    ("announced", "spoken"),
    [
        *((version, version) for version in HISTORY),
        *(("1.99", CURRENT), (1.1, "1.1")),
        *((unreadable, "1.0") for unreadable in ("0.9", "2.0", "", None, "x.y", "1.-1")),
    ],
)
def test_what_is_spoken_with_a_cell_is_what_both_can_read(announced: object, spoken: str) -> None:
    assert readable_by(announced) == spoken


def test_a_version_has_what_came_with_it_and_before_it() -> None:
    assert speaks("1.1", "1.1")
    assert speaks("1.3", "1.1")
    assert not speaks("1.0", "1.1")
    assert lowest("1.3", "1.1", "1.2") == "1.1"


@each("version", list(HISTORY))
def test_a_version_is_its_own_cap(version: str) -> None:
    assert resolve_cap(version) == version
    assert resolve_cap(f" {version} ") == version


@each("alias", [*VERSION_ALIASES, "Stein", " GRIZZLY "])
def test_a_release_is_the_cap_that_it_speaks(alias: str) -> None:
    assert resolve_cap(alias) == VERSION_ALIASES[alias.strip().lower()]


@each("cap", ["", " ", "0.9", "1", "1.0.0", "99.0", "diablo", "train", "1,0", "latest"])
def test_any_other_cap_is_a_configuration_error(cap: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"\[upgrade_levels\] intercell") as caught:
        resolve_cap(cap)
    assert all(name in caught.value.message for name in (*HISTORY, *VERSION_ALIASES))
