"""Directive ``cells-metrics``: the metrics of a manager, from the table that the collectors use."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from cells.metrics import names

_TABLES = {"manager": names.MANAGER, "neighbors": names.NEIGHBORS}


class CellsMetrics(Directive):
    """Definition list of the metrics of the manager, or of its neighbors: type, labels and meaning."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        items = [_item(name, entry) for name, entry in _TABLES[self.arguments[0]].items()]
        return [nodes.definition_list("", *items)]


def _item(name: str, entry: names.Name) -> nodes.definition_list_item:
    labels = f", labels: {', '.join(entry.labels)}" if entry.labels else ""
    paragraphs = [nodes.paragraph(text=f"{entry.text}."), nodes.paragraph(text=f"Type: {entry.kind.value}{labels}.")]
    term = nodes.term("", "", nodes.literal(text=name))
    return nodes.definition_list_item("", term, nodes.definition("", *paragraphs))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; called by Sphinx when it loads the extension."""
    app.add_directive("cells-metrics", CellsMetrics)
    return {"parallel_read_safe": True}
