"""Manual pages without the links to other pages, which have no address there: only their texts stay."""

from __future__ import annotations

from typing import Any

from docutils import nodes


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", _remove_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _remove_links(app: Any, doctree: nodes.document, _page: str) -> None:
    if app.builder.name == "man":
        for link in list(doctree.findall(nodes.reference)):
            if not link.get("refuri"):
                link.replace_self(link.children)
