"""Changes of single neighbors, with a store that is a dictionary."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from cells import exceptions
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.registration import Registration, check_is_in_database
from cells.transport.url import Parts
from tests.cases import each

URL = "rabbit://u:secret@host:5672/v"


class Store(dict[str, Neighbor]):
    """Stands for the database."""

    def create(self, row: Neighbor) -> None:
        self[row.name] = row

    def get(self, name: str) -> Neighbor:  # type: ignore[override]
        return self[name]

    def update(self, name: str, **changes: Any) -> Neighbor:  # type: ignore[override]
        self[name] = Neighbor(**{**self[name].as_dict(), **changes})
        return self[name]

    def delete(self, name: str) -> None:
        del self[name]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def registration(store: Store) -> Registration:
    return Registration("api", "/nonexistent", lambda: contextlib.nullcontext(store))


def test_a_neighbor_is_created_by_its_url_or_by_the_parts_of_it(registration: Registration, store: Store) -> None:
    registration.create("east", {"is_parent": False, "transport_url": URL})
    parts = Parts(username="u", password="secret", hostname="host", port=5672, virtual_host="v")
    registration.create("west", {"is_parent": False}, parts)
    assert store["east"].transport_url == store["west"].transport_url == URL


def test_an_update_keeps_the_parts_of_the_url_that_are_not_given(registration: Registration, store: Store) -> None:
    registration.create("east", {"is_parent": False, "transport_url": URL})
    registration.update("east", {"weight_scale": 2}, Parts(hostname="other"))
    assert (store["east"].transport_url, store["east"].weight_scale) == ("rabbit://u:secret@other:5672/v", 2.0)
    registration.delete("east")
    assert not store


@each(
    ("name", "columns", "parts"),
    [
        ("api", {"transport_url": URL}, Parts()),
        ("a!b", {"transport_url": URL}, Parts()),
        ("east", {}, Parts()),
        ("east", {}, Parts(username="u")),
        ("east", {"transport_url": URL, "color": "red"}, Parts()),
        ("east", {"transport_url": URL, "driver": "pigeon"}, Parts()),
        ("east", {"transport_url": "pigeon://h/v"}, Parts()),
        ("east", {"transport_url": URL, "version_cap": "never"}, Parts()),
        ("east", {"transport_url": URL, "weight_scale": float("inf")}, Parts()),
    ],
)
def test_a_wrong_neighbor_is_not_created(
    registration: Registration, store: Store, name: str, columns: dict[str, Any], parts: Parts
) -> None:
    with pytest.raises(exceptions.InvalidNeighbor) as caught:
        registration.create(name, {"is_parent": False, **columns}, parts)
    assert not store
    assert "secret" not in str(caught.value)


@each("changes", [{}, {"name": "west"}, {"driver": "pigeon"}, {"color": "red"}, {"version_cap": "never"}])
def test_a_wrong_change_is_refused(registration: Registration, store: Store, changes: dict[str, Any]) -> None:
    registration.create("east", {"is_parent": False, "transport_url": URL})
    before = dict(store)
    with pytest.raises(exceptions.InvalidNeighbor):
        registration.update("east", changes)
    assert store == before


def test_a_file_of_neighbors_is_not_changed() -> None:
    check_is_in_database(None)
    with pytest.raises(exceptions.NeighborsReadOnly):
        check_is_in_database("/etc/cells/neighbors.yaml")
