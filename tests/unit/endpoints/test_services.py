"""Endpoints for services: all arguments of another cell are checked."""

from __future__ import annotations

import dataclasses
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.deadlines import LONGEST_SECONDS, shrink
from cells.endpoints import Call, Endpoints
from cells.path import CellPath
from cells.services.request import ServiceRequest
from cells.services.requirements import CellRequirements
from tests.cases import each

REQUEST = ServiceRequest(topic="inventory", method="count", args={"kind": "disk"}, monitor_seconds=3.0)
CONTEXT = {"user_id": "ada"}
METHODS = ["service_call", "service_cast", "service_event", "service_call_any", "service_cast_any"]
TIMED = ["service_call", "service_call_any", "service_cast_any"]


class Recorder:
    """Double of the services of a cell and of its picker: records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answer: futures.Future[Any] = futures.Future()

    def __getattr__(self, name: str) -> Any:
        def record(*arguments: Any, **options: Any) -> futures.Future[Any]:
            self.calls.append((name, arguments, options))
            return self.answer

        return record


class Cell:
    name = "east"

    def __init__(self) -> None:
        self.services, self.picker = Recorder(), Recorder()


@pytest.fixture
def cell() -> Cell:
    return Cell()


def call(
    cell: Cell,
    method: str,
    route: str = "api!east",
    still_working: Any = None,
    *,
    message_type: str = "targeted",
    **arguments: Any,
) -> Any:
    # The cell is a double.
    made = Call(cell, method, arguments, message_type, CellPath.parse(route), None, CONTEXT)  # type: ignore[arg-type]
    return Endpoints.load().invoke(dataclasses.replace(made, still_working=still_working or (lambda: None)))


def arguments_of(method: str, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"request": REQUEST.to_dict()}
    if method in TIMED:
        arguments["time_left"] = 10.0
    if method.endswith("_any"):
        arguments["requirements"] = CellRequirements().to_dict()
    return {**arguments, **changes}


@pytest.mark.parametrize("method", METHODS)
def test_no_service_endpoint_blocks_the_reading_thread(method: str, cell: Cell) -> None:
    assert not Endpoints.load().may_block(method)
    recorder = cell.picker if method.endswith("_any") else cell.services
    assert call(cell, method, **arguments_of(method)) is recorder.answer


@pytest.mark.parametrize(
    ("method", "may_be_broadcast"),
    [
        *((method, False) for method in ("service_call", "service_call_any")),
        *((method, True) for method in ("service_cast", "service_cast_any", "service_event")),
    ],
)
def test_monitored_calls_cannot_be_broadcast(cell: Cell, method: str, may_be_broadcast: bool) -> None:
    if may_be_broadcast:
        call(cell, method, message_type="broadcast", **arguments_of(method))
    else:
        with pytest.raises(exceptions.UnknownMethod):
            call(cell, method, message_type="broadcast", **arguments_of(method))


def test_a_call_from_another_cell(cell: Cell) -> None:
    def sign() -> None:
        """Send no heartbeat."""

    call(cell, "service_call", "api!east!az1", sign, **arguments_of("service_call"))
    ((name, arguments, options),) = cell.services.calls
    assert (name, arguments) == ("call", (REQUEST, CONTEXT, shrink(10.0, 2)))
    assert options == {"neighbor": "east", "still_working": sign}


@pytest.mark.parametrize(("method", "name"), [("service_cast", "cast"), ("service_event", "publish")])
def test_casts_and_events(cell: Cell, method: str, name: str) -> None:
    call(cell, method, **arguments_of(method))
    assert cell.services.calls == [(name, (REQUEST, CONTEXT), {"neighbor": "api"})]


@pytest.mark.parametrize("method", METHODS)
def test_only_calls_of_the_own_cell_bypass_the_allow_list(cell: Cell, method: str) -> None:
    call(cell, method, "east", **arguments_of(method))
    call(cell, method, "east!api!east", **arguments_of(method))
    calls = (cell.picker if method.endswith("_any") else cell.services).calls
    assert [options["neighbor"] for _, _, options in calls] == ["", "api"]


@pytest.mark.parametrize("method", ["service_call_any", "service_cast_any"])
def test_requests_for_any_cell_go_to_the_picker(cell: Cell, method: str) -> None:
    call(cell, method, **arguments_of(method))
    ((_, (kind, *arguments), options),) = cell.picker.calls
    assert method == f"service_{kind}_any"
    assert arguments == [CellRequirements(), REQUEST]
    assert (options["context"], options["timeout_seconds"]) == (CONTEXT, shrink(10.0))
    assert cell.services.calls == []


@each("method", TIMED)
@each(
    "time_left",
    [0, -1, -0.0, True, None, "1", [], {}, float("nan"), float("inf"), 1e308, LONGEST_SECONDS * 2, 10**400],
    ids=lambda value: str(value)[:9],
)
def test_an_invalid_time_left_is_refused(cell: Cell, method: str, time_left: Any) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="time_left") as caught:
        call(cell, method, **arguments_of(method, time_left=time_left))
    assert len(str(caught.value)) < 250
    assert cell.services.calls == cell.picker.calls == []


@each("method", METHODS)
@each("request_", [None, 7, "text", [], {}, {"target": {"topic": "a"}, "message": {"method": 7}}], ids=str)
def test_an_invalid_request_is_refused(cell: Cell, method: str, request_: Any) -> None:
    with pytest.raises(exceptions.MessageError):
        call(cell, method, **arguments_of(method, request=request_))
    assert cell.services.calls == cell.picker.calls == []


@each("method", METHODS)
def test_arguments_that_are_missing_or_unknown_are_refused(cell: Cell, method: str) -> None:
    for arguments in ({}, arguments_of(method, later=1)):
        with pytest.raises(exceptions.InvalidArguments):
            call(cell, method, **arguments)


@each("requirements", [None, 7, "text", [], {"requires": 7}, {"requires": {"a": {}}}], ids=str)
def test_invalid_requirements_are_refused(cell: Cell, requirements: Any) -> None:
    with pytest.raises(exceptions.CellsError):
        call(cell, "service_call_any", **arguments_of("service_call_any", requirements=requirements))
    assert cell.picker.calls == []
