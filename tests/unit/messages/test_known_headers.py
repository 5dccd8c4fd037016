"""Headers that are remembered from one batch to the next."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions, versions
from cells.messages import Batch, KnownHeaders, Message, Origin
from cells.messages.known_headers import HEADERS_OF_NEIGHBOR, MAX_HEADERS
from cells.neighbors import Neighbors
from tests.unit.messages.test_validation import item
from tests.unit.messages.trees import row

NEIGHBORS = Neighbors.of([row("api", is_parent=True), row("az1")])


def call(**values: Any) -> dict[str, Any]:
    """A call from api for this cell, east."""
    return item("targeted_request", **{"routing_path": "api", "target_cell": "api!east", **values})


def read(known: KnownHeaders, came: object, neighbors: Neighbors = NEIGHBORS, origin: Origin | None = None) -> Message:
    batch = Batch(
        here="east",
        neighbors=neighbors,
        toward=lambda _: versions.CURRENT,
        limit_bytes=100_000,
        default_max_hop_count=10,
        now=1000.0,
        origin=origin or Origin(),
        remembered=known,
    )
    return batch.read(came)[0]


def test_messages_of_later_batches_share_their_header() -> None:
    known = KnownHeaders()
    first, second = read(known, call(uuid="1")), read(known, call(uuid="2"))
    assert first.header is second.header
    assert (first.id, second.id) == ("1", "2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(), call(method_name="other")),
        (call(hop_count=1), call(hop_count=2)),
        (call(need_response=True), call(need_response=False)),
    ],
)
def test_another_header_is_another_header(one: dict[str, Any], other: dict[str, Any]) -> None:
    known = KnownHeaders()
    assert read(known, one).header != read(known, other).header


def test_equal_values_of_another_type_are_read_again() -> None:
    known = KnownHeaders()
    read(known, call(hop_count=1))
    with pytest.raises(exceptions.MalformedMessage):
        read(known, call(hop_count=True))


def test_a_change_of_the_neighbors_is_a_new_check() -> None:
    known = KnownHeaders()
    read(known, call())
    with pytest.raises(exceptions.UnregisteredSender):
        read(known, call(), Neighbors.of([row("az1")]))
    read(known, call())


def test_a_header_is_not_known_over_another_link() -> None:
    known = KnownHeaders()
    read(known, call(), origin=Origin("rpc", "api"))
    with pytest.raises(exceptions.WrongLink):
        read(known, call(), origin=Origin("rpc", "az1"))


def test_their_number_is_bounded() -> None:
    known = KnownHeaders()
    for number in range(3 * MAX_HEADERS):
        read(known, call(method_name=f"method{number}"))
    assert len(known.of(NEIGHBORS)) <= MAX_HEADERS + 2 * HEADERS_OF_NEIGHBOR


def test_the_headers_of_many_children_are_known() -> None:
    known = KnownHeaders()
    names = [f"child{number}" for number in range(2 * MAX_HEADERS)]
    neighbors = Neighbors.of(map(row, names))
    calls = [call(routing_path=name, target_cell=f"{name}!east", direction="up") for name in names]
    firsts = [read(known, came, neighbors).header for came in calls]
    assert all(read(known, came, neighbors).header is first for came, first in zip(calls, firsts, strict=True))
