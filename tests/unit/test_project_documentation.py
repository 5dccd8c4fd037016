"""The documentation knows every error, counter and option that an operator can meet."""

import inspect
import re
from pathlib import Path

from cells import exceptions
from tests.cases import each

ROOT = Path(__file__).parents[2]
DOC = ROOT / "doc" / "source"
ERRORS = [
    name
    for name, found in vars(exceptions).items()
    if inspect.isclass(found) and issubclass(found, exceptions.CellsError)
]
COUNTED = re.compile(r"""\.count\(\s*"([a-z_]+)\"""")


def counted_events() -> list[str]:
    found = {event for path in (ROOT / "cells").rglob("*.py") for event in COUNTED.findall(path.read_text())}
    return sorted(found)


@each("name", ERRORS)
def test_troubleshooting_says_what_to_do_about(name: str) -> None:
    assert re.search(rf"\b{name}\b", (DOC / "admin" / "troubleshooting.rst").read_text())


@each("name", ERRORS)
def test_tree_of_errors_shows(name: str) -> None:
    assert re.search(rf"\b{name}\b", exceptions.__doc__ or "")


def test_something_is_counted() -> None:
    assert counted_events()


@each("event", counted_events())
def test_operators_guide_explains_counter(event: str) -> None:
    assert f"``{event}``" in (DOC / "admin" / "operate.rst").read_text()


def test_options_named_in_the_documentation_exist() -> None:
    from cells import conf

    known = {option.dest for _group, options in conf.list_opts() for option in options}
    named = {
        option
        for path in DOC.rglob("*.rst")
        for option in re.findall(r"``\[(?:cells|upgrade_levels)\]\s+([a-z_]+)", path.read_text())
    }
    assert named
    assert named <= known


def test_every_page_is_reached_from_another() -> None:
    pages = {str(path.relative_to(DOC).with_suffix("")) for path in DOC.rglob("*.rst")}
    listed = {
        str((path.parent / entry).relative_to(DOC))
        for path in DOC.rglob("*.rst")
        for block in re.findall(r"^\.\. toctree::\n((?:(?:   .*)?\n)+)", path.read_text(), flags=re.MULTILINE)
        for entry in re.findall(r"^   ([a-z_/]+)$", block, flags=re.MULTILINE)
    }
    assert pages == listed | {"index"}


@each("path", sorted(DOC.rglob("*.rst")), ids=lambda path: str(path.relative_to(DOC)))
def test_page_has_no_placeholder_left(path: Path) -> None:
    assert re.findall(r"@[A-Z]+@|\bTODO\b|\bFIXME\b", path.read_text()) == []
