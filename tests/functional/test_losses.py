"""Messages that a manager accepted and gave up are counted, per neighbor, kind and reason (case C1)."""

from __future__ import annotations

from collections.abc import Callable

from tests.functional.cell_tree import CONTEXT, TIMEOUT_SECONDS, CellTree, wait_for

Start = Callable[..., CellTree]
Counts = dict[tuple[str, str], tuple[int, int, int]]


def losses(tree: CellTree, cell: str, name: str) -> Counts:
    """Return (kind, reason) -> (lost, may have arrived, told), as ``cells neighbor status`` in ``cell`` shows them."""
    return {
        (loss["kind"], loss["reason"]): (loss["lost"], loss["may_have_arrived"], loss["told"])
        for loss in tree[cell].neighbors()[name]["losses"]
    }


def test_messages_that_a_relay_cannot_pass_on_are_counted(cell_tree: Start) -> None:
    tree = cell_tree({"api": {"east": {"az1": {}}}})
    tree.link("east", "az1").cut()
    for _ in range(3):
        tree["api"].cast("api!east!az1", "where")
    tree["api"].broadcast_cast("where")
    assert tree["api"].start_call("api!east!az1").exception(TIMEOUT_SECONDS) is not None
    expected = {
        ("cast", "NeighborUnreachable"): (3, 0, 0),
        ("broadcast_cast", "NeighborUnreachable"): (1, 0, 0),
        ("call", "NeighborUnreachable"): (0, 0, 1),
    }
    wait_for(lambda: losses(tree, "east", "az1") == expected, "east counts them")
    row = tree["east"].neighbors()["az1"]
    assert (row["lost"], row["may_have_arrived"], row["in_flight"]) == (4, 0, 0)
    assert tree["east"].service.manager.status(CONTEXT)["losses"]["az1.cast.NeighborUnreachable.lost"] == 3
    assert losses(tree, "api", "east") == {}


def test_a_cast_that_no_cell_can_run_is_counted_where_it_ended(cell_tree: Start) -> None:
    tree = cell_tree({"api": {"east": {}}})
    tree["api"].cast("api!east!no_such_cell", "where")
    tree["api"].cast("api!east", "no_such_method")
    expected = {("cast", "here: CellNotFound"): (1, 0, 0), ("cast", "here: UnknownMethod"): (1, 0, 0)}
    wait_for(lambda: losses(tree, "east", "api") == expected, "east counts them as messages from api")


def test_a_cast_of_this_cell_that_goes_nowhere_is_counted(cell_tree: Start) -> None:
    tree = cell_tree({"api": {}})
    tree["api"].service.manager.cast_many({}, ["not JSON"])
    assert tree["api"].service.manager.status(CONTEXT)["losses"] == {"api.cast.here: InvalidArguments.lost": 1}


def test_pings_and_announcements_move_no_count(cell_tree: Start) -> None:
    tree = cell_tree({"api": {"east": {}}})
    tree.link("api", "east").cut()
    service = tree["api"].service

    def undelivered(event: str) -> int:
        return sum(count for name, count in tree["api"].counters().items() if name.partition(".")[0] == event)

    before = undelivered("undelivered_internal")
    service.prober.ping("east")
    wait_for(lambda: undelivered("undelivered_internal") > before, "the ping is given up")
    assert (losses(tree, "api", "east"), undelivered("undelivered")) == ({}, 0)
