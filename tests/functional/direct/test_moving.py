"""Links that move between a direct link and another driver."""

from __future__ import annotations

from collections.abc import Callable

from tests.functional.cell_tree import CellTree, wait_for

TREE = {"api": {"east": {}}}
RECONNECT_SECONDS = 0.2
Start = Callable[..., CellTree]


def test_a_direct_link_without_a_connection_does_not_hinder_the_other_driver(cell_tree: Start) -> None:
    tree = cell_tree(TREE, links="direct", options={"cells_direct": {"reconnect_wait": RECONNECT_SECONDS}})
    api, east = tree["api"], tree["east"]
    urls = {name: str(cell.conf.transport_url) for name, cell in (("api", api), ("east", east))}
    # East has moved to the other driver, and forgotten the certificate of api.
    east.database.update("api", driver="memory", transport_url=urls["api"], certificates=None)
    api.database.update("east", driver="memory", transport_url=urls["east"], also_accept="direct")
    for cell in (east, api):
        cell.service.reset()

    def is_down() -> bool:
        row = api.neighbors()["east"]
        return bool(row["link"]) and row["link"]["state"] == "down"

    wait_for(is_down, "no connection is left")
    row = api.neighbors()["east"]
    assert (row["driver"], row["also_accept"]) == ("memory", "direct")
    assert api.call("east") == "api!east"
    # A message that waited for the direct link may be given up after the move: the link is known to work after a call.
    assert api.service.manager.links_down({}, "east") == []
    assert api.neighbors()["east"]["state"] == "up"
