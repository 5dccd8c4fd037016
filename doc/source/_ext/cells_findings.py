"""Directive ``cells-findings``: the kinds of findings of ``cells doctor``, from the code that declares them."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

from cells.doctor.catalog import KINDS, Kind, Severity

_SEVERITIES = {severity.text: severity for severity in Severity}


def _severity(text: str) -> Severity:
    return _SEVERITIES[directives.choice(text, list(_SEVERITIES))]


class CellsFindings(Directive):
    """Definition list of the findings of one severity: the meaning and the remedy of each."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        severity = _severity(self.arguments[0])
        items = [_item(name, kind) for name, kind in sorted(KINDS.items()) if kind.severity is severity]
        return [nodes.definition_list("", *items)]


def _item(name: str, kind: Kind) -> nodes.definition_list_item:
    remedy = kind.remedy.format(subject="NAME")
    paragraphs = [nodes.paragraph(text=kind.meaning), nodes.paragraph(text=f"Remedy: {remedy}")]
    term = nodes.term("", "", nodes.literal(text=name), ids=[f"finding-{name}"])
    return nodes.definition_list_item("", term, nodes.definition("", *paragraphs))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; called by Sphinx when it loads the extension."""
    app.add_directive("cells-findings", CellsFindings)
    return {"parallel_read_safe": True}
