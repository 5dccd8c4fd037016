"""The link over which a message came, against the row of its last hop."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.messages import UNKNOWN_ORIGIN, Origin
from cells.neighbors import Neighbors
from cells.neighbors.neighbor import Neighbor

NEIGHBORS = Neighbors.of(
    [
        Neighbor("api", "", is_parent=True, driver="direct"),
        Neighbor("az1", "rabbit://h/az1", is_parent=False),
        Neighbor("az2", "rabbit://h/az2", is_parent=False, driver="direct", also_accept="rpc"),
    ]
)


@pytest.mark.parametrize(
    ("origin", "sender"),
    [
        (Origin("direct", "api"), "api"),
        (Origin("rpc"), "az1"),
        (Origin("direct", "az2"), "az2"),
        (Origin("rpc"), "az2"),
        (UNKNOWN_ORIGIN, "api"),
        # That it is no neighbor is another error, with another remedy.
        (Origin("rpc"), "stranger"),
    ],
)
def test_a_neighbor_may_send_over_its_link(origin: Origin, sender: str) -> None:
    origin.check(sender, NEIGHBORS)


@pytest.mark.parametrize(
    ("origin", "sender"),
    [
        pytest.param(Origin("direct", "az2"), "api", id="child speaks as the parent"),
        pytest.param(Origin("direct", "az2"), "az1", id="child speaks as its sibling"),
        pytest.param(Origin("direct", "az2"), "stranger", id="child speaks as a cell that does not exist"),
        pytest.param(Origin("rpc"), "api", id="login to the broker speaks as a neighbor with a direct link"),
        pytest.param(Origin("direct", "az1"), "az1", id="link of another driver than the row's"),
    ],
)
def test_a_message_over_another_link_is_refused(origin: Origin, sender: str) -> None:
    with pytest.raises(exceptions.WrongLink):
        origin.check(sender, NEIGHBORS)
