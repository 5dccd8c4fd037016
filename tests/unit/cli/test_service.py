"""``cells service call`` and ``cells service cast``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from cells import exceptions, rpc
from cells.cli import connection
from tests.unit.cli.conftest import Cells, Manager


class Service:
    """Fake RPCClient that returns the answer of the test and records its calls."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Any = None
        self._prepared: dict[str, Any] = {}

    def prepare(self, **options: Any) -> Service:
        self._prepared.update(options)
        return self

    def call(self, ctxt: dict[str, Any], method: str, **arguments: Any) -> Any:
        assert ctxt["is_admin"] is True
        self.asked.append((method, arguments, dict(self._prepared)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    cast = call


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()

    @contextlib.contextmanager
    def to_service(_conf: Any, **target: str | None) -> Iterator[Service]:
        made.asked.append(("target", {name: value for name, value in target.items() if value is not None}))
        yield made

    monkeypatch.setattr(connection, "to_service", to_service)
    return made


def test_what_is_asked(cells: Cells, service: Service) -> None:
    service.answer = {"disks": 3}
    words = ("--namespace", "store", "--version", "1.2", "--server", "a", "--exchange", "nova", "--timeout", "2")
    answer = cells.succeed(
        "service", "call", "api!east", "inventory", "count", "kind=disk", "least:=2", *words, "-f", "json"
    )
    assert answer.value == {"disks": 3}
    assert service.asked == [
        ("target", {"topic": "inventory", "namespace": "store", "version": "1.2", "server": "a", "exchange": "nova"}),
        ("count", {"kind": "disk", "least": 2}, {"cell": "api!east", "timeout": 2.0}),
    ]


def test_a_cast_to_one_and_to_all(cells: Cells, service: Service) -> None:
    assert cells.succeed("service", "cast", "east", "inventory", "refresh").out == ""
    cells.succeed("service", "cast", "east", "inventory", "refresh", "--fanout")
    fanouts = [asked[2]["fanout"] for asked in service.asked if asked[0] == "refresh"]
    assert fanouts == [False, True]
    assert service.asked[0] == ("target", {"topic": "inventory"})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            exceptions.ServiceNotAllowed("Cell east allows no service."),
            "cells: ServiceNotAllowed: Cell east allows no service.\n",
        ),
        (rpc.RemoteError("DiskFull", "no room", ["Traceback", "lines"]), "cells: DiskFull: no room\n"),
        (rpc.MessageDeliveryFailure("East is away."), "cells: MessageDeliveryFailure: East is away.\n"),
        (ValueError("boom\nTraceback (most recent call last):"), "cells: ValueError: boom\n"),
    ],
)
def test_an_error_is_one_line(cells: Cells, service: Service, error: Exception, said: str) -> None:
    service.answer = error
    assert cells.fail("service", "call", "east", "inventory", "count") == said


def test_the_services_are_listed_with_their_callers(cells: Cells, manager: Manager) -> None:
    use = {"service": "inventory", "caller": "east", "calls": 7, "casts": 0, "failed": 1, "timed_out": 2}
    manager.described = {"name": "api"}
    manager.answers = [{"seen_by": "m1", "allowed": ["inv*", "nova/*"], "unused": ["nova/*"], "uses": [use]}]
    rows = cells.succeed("service", "list", "-f", "json").value
    assert [(row["service"], row["caller"], row["calls"], row["timed_out"], row["seen_by"]) for row in rows] == [
        ("inventory", "east", 7, 2, "m1"),
        ("nova/*", None, None, None, "m1"),
    ]
    assert [question[:3] for question in manager.asked] == [("call", "api", "services")]
