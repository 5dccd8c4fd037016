"""Changes of neighbors that services ask the manager for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest

from cells import exceptions
from cells.manager.registrar import MAX_CHANGES, Registrar
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.registration import Registration

BROKER = {"hostname": "host", "username": "u", "password": "secret"}


class Store:
    """Stands for the database; ``problem`` is the error of each change."""

    def __init__(self) -> None:
        self.rows: list[Neighbor] = []
        self.problem: Exception | None = None

    def create(self, row: Neighbor) -> None:
        if self.problem is not None:
            raise self.problem
        self.rows.append(row)

    def get(self, name: str) -> Neighbor:
        raise NotImplementedError(name)

    def update(self, name: str, **changes: Any) -> Neighbor:
        raise NotImplementedError(name)

    def delete(self, name: str) -> None:
        self.rows = [row for row in self.rows if row.name != name]


class Threads(list[Callable[[], object]]):
    """Threads that run when the test says so."""

    def spawn(self, target: Callable[[], object], _name: str) -> Any:
        self.append(target)

    def run(self) -> None:
        while self:
            self.pop(0)()


def made(store: Store, threads: Threads, file: str | None = None) -> Registrar:
    registration = Registration("api", "/nonexistent", lambda: contextlib.nullcontext(store))
    return Registrar(registration, file, threads.spawn)


def test_the_neighbors_are_read_after_each_change_and_before_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store, threads, seen = Store(), Threads(), []
    registrar = made(store, threads)
    registrar.reload = lambda: seen.append([row.name for row in store.rows])
    created = registrar.create("east", {"is_parent": False}, BROKER)
    assert not created.done()
    threads.run()
    assert created.result(0) == {
        "name": "east",
        "is_parent": False,
        "driver": "rpc",
        "transport_url": "rabbit://u:***@host/",
    }
    deleted = registrar.delete("east")
    threads.run()
    assert deleted.result(0) is None
    assert seen == [["east"], []]
    assert "secret" not in caplog.text


def test_an_error_of_the_database_is_the_answer() -> None:
    store, threads, reloads = Store(), Threads(), []
    registrar = made(store, threads)
    registrar.reload = lambda: reloads.append(1)
    store.problem = exceptions.NeighborExists("there is one")
    created = registrar.create("east", {"is_parent": False}, BROKER)
    threads.run()
    assert isinstance(created.exception(0), exceptions.NeighborExists)
    assert not reloads


def test_a_file_of_neighbors_is_not_changed() -> None:
    threads = Threads()
    with pytest.raises(exceptions.NeighborsReadOnly):
        made(Store(), threads, "/etc/cells/neighbors.yaml").delete("east")
    assert not threads


def test_a_broker_has_known_parts() -> None:
    registrar = made(Store(), Threads())
    for broker in ({"host": "h"}, {"port": "5672"}, {"hostname": 1}):
        with pytest.raises(exceptions.InvalidArguments):
            registrar.create("east", {"is_parent": False}, broker)


def test_a_slow_database_holds_a_bounded_number_of_threads() -> None:
    threads = Threads()
    registrar = made(Store(), threads)
    for number in range(MAX_CHANGES):
        registrar.delete(f"east{number}")
    with pytest.raises(exceptions.ManagerBusy):
        registrar.delete("west")
    threads.run()
    registrar.delete("west")
