"""The tree as operators see it, made from the answers of all cells to one broadcast."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cells import exceptions
from cells.failure import lacks_method
from cells.manager.prober import PING
from cells.messages import Response
from cells.neighbors import State
from cells.path import CellPath

LOG = logging.getLogger(__name__)

Node = dict[str, Any]


def draw(
    own_path: CellPath,
    neighbors: Mapping[str, State],
    responses: Iterable[Response],
    known: Iterable[CellPath] = (),
) -> Node:
    """Return nested nodes ``{"name", "path", "state", "is_self", "children"}``, the topmost known ancestor first.

    :param own_path: path of the cell that sent the broadcast
    :param neighbors: name -> state of each neighbor as that cell sees it; the cells above are not asked, so this is the
        state of the parent, and a child that does not answer may be "mute"
    :param responses: responses to a broadcast of ping down from that cell
    :param known: full paths of the cells that are known to be below; those without a response are "unknown"
    """
    nodes: dict[CellPath, Node] = {}
    left_out: list[str] = []
    for depth in range(1, len(own_path) + 1):
        _place(nodes, own_path[:depth])
    own = nodes[own_path]
    own["is_self"] = True
    if len(own_path) > 1:
        nodes[own_path[:-1]]["state"] = neighbors.get(own_path[-2], State.UNKNOWN).value
    for response in sorted(responses, key=lambda candidate: candidate.cell):
        try:
            path = own_path.joined(list(CellPath.parse(response.cell))[1:])
        except exceptions.MalformedMessage as error:
            left_out.append(error.message)
            continue
        _place(nodes, path)["state"] = _state(response)
    if left_out:
        LOG.warning("%d answers are left out of the tree; the first: %s", len(left_out), left_out[0])
    for path in known:
        _place(nodes, path)
    for child in own["children"]:
        if child["state"] == State.SILENT.value and neighbors.get(child["name"]) is State.MUTE:
            child["state"] = State.MUTE.value
    return nodes[own_path[:1]]


def _place(nodes: dict[CellPath, Node], path: CellPath) -> Node:
    node = nodes.get(path)
    if node is None:
        node = {"name": path.last, "path": str(path), "state": "unknown", "is_self": False, "children": []}
        nodes[path] = node
        if len(path) > 1:
            _place(nodes, path[:-1])["children"].append(node)
    return node


def _state(response: Response) -> str:
    if response.error is None:
        return State.UP.value
    if isinstance(response.error, exceptions.CellTimeout):
        return State.SILENT.value
    if isinstance(response.error, exceptions.DeliveryError):
        return State.UNREACHABLE.value
    # An answer, even if the cell has no method ping: a cell of Nova.
    answers = isinstance(response.error, (exceptions.UnknownMethod, exceptions.RemoteError))
    return "up" if answers or lacks_method(response.error, PING) else "failed"
