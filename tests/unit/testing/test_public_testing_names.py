"""The public names of cells.testing: a change of these lists breaks the tests of services."""

from __future__ import annotations

import inspect

import cells.testing
from cells.testing import CellTree, Link, TreeCell


def keywords(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def methods(cls: type) -> list[str]:
    return sorted(name for name in dir(cls) if not name.startswith("_"))


def test_package() -> None:
    assert cells.testing.__all__ == ["CellTree", "Link", "TreeCell"]


def test_tree() -> None:
    assert methods(CellTree) == ["cell_class", "link", "start", "stop", "wait_until_known"]
    assert keywords(CellTree) == [
        "shape",
        "endpoints",
        "options",
        "cell_options",
        "managers",
        "exception_modules",
        "services",
    ]


def test_cell() -> None:
    assert methods(TreeCell) == [
        "client",
        "close",
        "serve",
        "start",
        "stop",
        "stop_services",
        "transport",
        "transport_url",
    ]
    assert keywords(TreeCell.serve) == ["self", "topic", "endpoints", "server", "serializer"]
    assert keywords(TreeCell.client) == ["self", "topic", "namespace", "version", "options"]


def test_link() -> None:
    assert methods(Link) == ["cut", "delay", "drop", "duplicate", "restore", "toward"]
