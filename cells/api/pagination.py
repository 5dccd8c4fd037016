"""Pages of a list that is sorted by the names of its items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from cells.api.schemas import Schema, answer

LINKS: Schema = {
    "type": "array",
    "items": answer(rel={"const": "next"}, href={"type": "string"}),
    "description": "The address of the next page, if there is one",
}


def page_of(
    items: Iterable[dict[str, Any]], query: Mapping[str, Any], path: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return one page of ``items``, and the links to the next page: one, or none after the last page.

    The marker need not exist any more: the page begins with the first name after it.

    :param items: each with a ``name``
    :param query: with ``limit``, and with ``marker`` for a page that is not the first
    :param path: of this list
    """
    limit, marker = query["limit"], query.get("marker", "")
    found = sorted((item for item in items if item["name"] > marker), key=lambda item: str(item["name"]))
    page = found[:limit]
    if len(found) <= limit:
        return page, []
    following = urlencode({"limit": limit, "marker": page[-1]["name"]})
    return page, [{"rel": "next", "href": f"{path}?{following}"}]
