"""Directive ``cells-versions``: the history of the inter-cell API, from the code that declares it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from cells import versions


class CellsVersions(Directive):
    """Definition list of the versions: their additions, the behavior under a lower cap, and their aliases."""

    def run(self) -> list[nodes.Node]:
        items = [_item(number, version) for number, version in versions.HISTORY.items()]
        return [nodes.definition_list("", *items)]


def _item(number: str, version: versions.Version) -> nodes.definition_list_item:
    lines = [version.adds, f"Under a lower cap: {version.below}"] if number != versions.OLDEST else [version.adds]
    if version.aliases:
        lines.append(f"Aliases: {', '.join(version.aliases)}.")
    paragraphs = [nodes.paragraph(text=line) for line in lines]
    return nodes.definition_list_item("", nodes.term(text=number), nodes.definition("", *paragraphs))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; called by Sphinx when it loads the extension."""
    app.add_directive("cells-versions", CellsVersions)
    return {"parallel_read_safe": True}
