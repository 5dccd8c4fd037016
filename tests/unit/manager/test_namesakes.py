"""Managers that serve a topic already, without a broker: those of another cell, or of the same host name, are found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

from cells import conf as cells_conf
from cells.manager.namesakes import Namesakes, problem_with
from cells.transport.opening import open_transport, register_options
from cells.transport.server import get_server

Serve = Callable[..., None]


class Manager:
    """The endpoint of a manager, as far as it is asked here."""

    target = oslo_messaging.Target(version="1.3")

    def __init__(self, name: str, host: str) -> None:
        self._status = {"name": name, "host": host, "pid": 1}

    def status(self, ctxt: dict[str, Any]) -> dict[str, Any]:
        return self._status


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cells-") as path:
        yield Path(path)


def transport(directory: Path, number: int = 0) -> Any:
    conf = cells_conf.load([])
    register_options(conf)
    # Servers with the same registry share a socket, as those of one process.
    values = {"ipc_dir": str(directory), "matchmaker": "localhost", "matchmaker_connection": str(number)}
    for name, value in values.items():
        conf.set_override(name, value, group="oslo_messaging_zmq")
    return open_transport(conf, "zmq:///")


@pytest.fixture
def serve(directory: Path) -> Iterator[Serve]:
    running: list[Any] = []

    def serve(name: str, host: str, topic: str = "cells") -> None:
        opened = transport(directory, len(running) + 1)
        target = oslo_messaging.Target(topic=topic, server=host)
        server = get_server(opened, target, [Manager(name, host)])
        server.start()
        running.append((server, opened))

    yield serve
    for server, opened in running:
        server.stop()
        server.wait()
        opened.cleanup()


def found(directory: Path) -> list[Any]:
    return Namesakes(lambda: transport(directory), "cells", None).find()


def test_a_manager_is_alone(directory: Path, serve: Serve) -> None:
    assert found(directory) == []
    serve("west", "h1", topic="inventory")
    assert found(directory) == []


def test_the_manager_of_another_cell_is_found(directory: Path, serve: Serve) -> None:
    serve("west", "h2")
    assert "west" in problem_with(found(directory), "east", "h1")


def test_each_manager_is_asked(directory: Path, serve: Serve) -> None:
    for host in ("h1", "h2", "h3"):
        serve("east", host)
    others = found(directory)
    assert {other["host"] for other in others} == {"h1", "h2", "h3"}
    assert "h2" in problem_with(others, "east", "h2")
    assert not problem_with(others, "east", "h4")
