"""Directive ``cells-versions``: the history of the inter-cell API, from the code that declares it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from cells.drivers import versions


class CellsVersions(Directive):
    """A definition list: each version with what it added and the names that stand for it."""

    def run(self) -> list[nodes.Node]:
        items = [_item(version, text) for version, text in versions.HISTORY.items()]
        return [nodes.definition_list("", *items)]


def _item(version: str, text: str) -> nodes.definition_list_item:
    names = [name for name, of_version in versions.VERSION_ALIASES.items() if of_version == version]
    lines = [text, *([f"Also called: {', '.join(names)}."] if names else [])]
    paragraphs = [nodes.paragraph(text=line) for line in lines]
    return nodes.definition_list_item("", nodes.term(text=version), nodes.definition("", *paragraphs))


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx when it loads the extension."""
    app.add_directive("cells-versions", CellsVersions)
    return {"parallel_read_safe": True}
