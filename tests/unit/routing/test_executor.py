"""An endpoint runs once, in time, on a thread on which it may block, and its caller always gets a reply."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.counters import Counters
from cells.endpoints import Call, Endpoints, endpoint
from cells.endpoints.permissions import Permissions
from cells.messages import BroadcastMessage, Message, Response, ResponseMessage, TargetedMessage
from cells.neighbors import Direction, Neighbor, Neighbors
from cells.path import CellPath
from cells.routing.budgets import ForeignLimits, NeighborBudgets
from cells.routing.error_replies import too_late
from cells.routing.executor import Executor
from cells.routing.outcomes import Outcomes
from cells.routing.reply import LOG_ONLY, Kind, Reply, Sink
from cells.worker_threads import WorkerThreads
from tools.polling import poll

PATIENCE = 10.0
ROWS = [Neighbor("api", "memory://bus/api", is_parent=True, driver="memory")]
#: of the messages of one neighbor
MAX_BYTES = 100_000
MAX_SECONDS = 3600.0
HERE = CellPath.parse("api!east")


class Cell:
    """The cell, as far as the endpoints of these tests use it."""

    name = "east"


class Place:
    """An executor with the endpoints of a test, and the calls and replies that it has caused."""

    def __init__(self, threads: int = 1, waiting: int = 10) -> None:
        self.counters = Counters()
        self.ran: list[Call] = []
        self.responses: list[Response] = []
        self.signs: list[str] = []
        self.value: Any = None
        self.let_go = threading.Event()
        self._threads = WorkerThreads(threads, waiting, "test")
        budgets = NeighborBudgets(ForeignLimits(threads + waiting, MAX_BYTES, MAX_SECONDS), self.counters)
        endpoints = Endpoints(self._endpoints())
        permissions = Permissions("east", endpoints, lambda: Neighbors.of(ROWS), "openstack")
        self.executor = Executor(endpoints, self._threads, budgets, permissions, self.counters)
        self.executor.cell = Cell()  # type: ignore[arg-type]  # a name is all that is asked for

    def _endpoints(self) -> list[Callable[..., Any]]:
        @endpoint
        def note(call: Call, fail: bool = False) -> str:
            self.ran.append(call)
            if fail:
                raise exceptions.CellNotFound("There is none.", cell="west")
            return threading.current_thread().name

        @endpoint(blocks=False, accepts=("targeted", "broadcast", "response"))
        def note_at_once(call: Call) -> str:
            self.ran.append(call)
            return threading.current_thread().name

        @endpoint(blocks=False)
        def ping(_call: Call) -> str:
            return "pong"

        @endpoint
        def hang(call: Call) -> None:
            self.ran.append(call)
            assert self.let_go.wait(PATIENCE), "The test never let go"

        @endpoint(blocks=False)
        def later(call: Call, promise: list[futures.Future[str]]) -> futures.Future[str]:
            call.still_working()
            return promise[0]

        @endpoint(blocks=False)
        def leave_at_once(_call: Call, error: BaseException) -> None:
            raise error

        @endpoint
        def leave(_call: Call, error: BaseException) -> None:
            raise error

        @endpoint
        def give(_call: Call) -> Any:
            return self.value

        return [note, note_at_once, ping, hang, later, leave, leave_at_once, give]

    def take(self, reply: Reply) -> None:
        """As a sink of replies."""
        if reply.kind is Kind.WORKING:
            self.signs.append("working")
        else:
            self.responses.append(reply.read_one(("cells.exceptions",)))

    def run(self, message: Message, sink: Sink | None = None) -> None:
        self.executor.run(message, sink or self)

    def response(self, number: int = 0) -> Response:
        """Wait for a response."""
        poll(lambda: len(self.responses) > number, "it is answered", timeout_seconds=PATIENCE, pause_seconds=0.002)
        return self.responses[number]

    def stop(self) -> None:
        self.let_go.set()
        assert self._threads.stop(PATIENCE)


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.stop()


def message(method: str = "note", **changed: Any) -> TargetedMessage:
    fields = {"route": HERE, "target": HERE, "direction": Direction.DOWN, "needs_response": True, **changed}
    return TargetedMessage.new(method=method, **fields)


def test_the_return_value_is_the_response_of_this_cell(place: Place) -> None:
    place.run(message("note_at_once"))
    assert place.response() == Response("api!east", threading.current_thread().name)
    assert place.counters.as_dict() == {}


def test_an_endpoint_that_may_block_runs_on_another_thread(place: Place) -> None:
    place.run(message())
    assert str(place.response().value).startswith("test")


def test_an_endpoint_sees_the_fields_of_its_message(place: Place) -> None:
    deadline = time.monotonic() + 50.0
    context = {"user_id": "ada"}
    place.run(message("note_at_once", context=context, deadline=deadline, traceparent="00-a-b-01"))
    (call,) = place.ran
    assert (call.deadline, call.traceparent, call.context_values) == (deadline, "00-a-b-01", context)
    assert (call.route, call.message_type, call.response_to) == (HERE, "targeted", None)


def test_an_exception_is_the_response(place: Place) -> None:
    place.run(message(kwargs={"fail": True}))
    error = place.response().error
    assert isinstance(error, exceptions.CellNotFound)
    assert place.counters.as_dict() == {"failed.CellNotFound": 1}


@pytest.mark.parametrize("method", ["leave", "leave_at_once"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_an_endpoint_cannot_end_the_thread_that_it_runs_on(place: Place, method: str, error: BaseException) -> None:
    """(case F1)"""
    place.run(message(method, kwargs={"error": error}))
    assert repr(error) in str(place.response().error)
    assert place.counters.as_dict() == {"failed.Exception": 1}
    place.run(message())
    assert str(place.response(1).value).startswith("test")


def test_a_future_may_end_with_any_error(place: Place) -> None:
    """(case F1)"""
    done: futures.Future[str] = futures.Future()
    done.set_exception(KeyboardInterrupt())
    place.run(message("later", kwargs={"promise": [done]}))
    assert isinstance(place.response().error, exceptions.RemoteError)


class Odd(dict[str, Any]):
    def items(self) -> Any:
        raise SystemExit("items")


@pytest.mark.parametrize("value", [object(), float("nan"), 10**5000, {(1,): 2}, Odd(a=1), iter(int, 1), b"x"], ids=type)
def test_a_value_that_cannot_be_sent_is_an_error_at_once(place: Place, value: Any) -> None:
    """(case F2)"""
    place.value = value
    place.run(message("give"))
    assert isinstance(place.response().error, exceptions.InvalidArguments)


@pytest.mark.parametrize("method", ["note", "note_at_once"])
def test_a_late_message_does_not_run_and_its_caller_gets_an_error(
    place: Place, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place.run(message(method, deadline=time.monotonic() - 0.001))
    error = place.response().error
    assert isinstance(error, exceptions.CellTimeout)
    assert error.cell == "api!east"
    assert f"Cell east did not run {method}" in str(error)
    assert "api > east" in str(error)
    assert "api!east" not in str(error)
    assert place.ran == []
    assert place.counters.as_dict() == {"dropped.late": 1}
    assert f"({method}) from api is not run" in caplog.text


def test_a_message_whose_deadline_passes_in_the_queue_does_not_run(place: Place) -> None:
    place.run(message("hang"))
    poll(lambda: place.ran, "the only thread is taken", pause_seconds=0.002)
    deadline = time.monotonic() + 0.05
    place.run(message(deadline=deadline))
    place.run(message(deadline=deadline + 600.0))
    poll(lambda: time.monotonic() > deadline, "its time is over", pause_seconds=0.01)
    assert place.responses == []
    place.let_go.set()
    place.response(2)
    assert [isinstance(response.error, exceptions.CellTimeout) for response in place.responses] == [False, True, False]
    assert [call.method for call in place.ran] == ["hang", "note"]
    assert place.counters.as_dict() == {"dropped.late": 1}


def test_a_message_without_a_deadline_is_never_late(place: Place) -> None:
    place.run(message("note_at_once", deadline=None))
    assert place.response().error is None


def test_the_error_of_a_late_message_names_the_service() -> None:
    response = too_late(message(about="of the service inventory"), Counters(), Outcomes())
    assert "did not run note (of the service inventory)" in str(response.error)


@pytest.mark.parametrize("method", ["note", "note_at_once"])
@pytest.mark.parametrize(
    "payload", ["", "{", "[]", "null", '{"ctxt": {}}', '{"method_kwargs": 5}', '{"method_kwargs": {}, "ctxt": []}']
)
def test_an_unreadable_payload_is_an_error_for_its_sender(place: Place, method: str, payload: str) -> None:
    place.run(dataclasses.replace(message(method), payload=payload))
    assert isinstance(place.response().error, exceptions.MalformedMessage)
    assert place.response().cell == "api!east"
    assert place.ran == []
    assert place.counters.as_dict() == {"rejected.MalformedMessage": 1}


def test_a_payload_is_read_before_it_is_run(place: Place) -> None:
    place.run(dataclasses.replace(message("note_at_once"), payload='{"method_kwargs": {}, "ctxt": {"user_id": "ada"}}'))
    assert place.response().error is None
    assert place.ran[0].context_values == {"user_id": "ada"}


def test_an_unknown_method_is_an_error_for_its_sender(place: Place) -> None:
    place.run(message("no_such"))
    assert isinstance(place.response().error, exceptions.UnknownMethod)


def test_a_duplicate_message_runs_once_and_is_answered_once(place: Place) -> None:
    came = message("note_at_once")
    for _ in range(3):
        place.run(came)
    assert len(place.ran) == len(place.responses) == 1
    assert place.counters.as_dict() == {"dropped.duplicate": 2}


@pytest.mark.parametrize(
    "came",
    [
        BroadcastMessage.new(method="note_at_once", route=CellPath(["east"]), direction=Direction.DOWN),
        ResponseMessage.new(method="note_at_once", route=HERE, target=HERE, direction=Direction.UP, response_to="m"),
    ],
    ids=["of this cell", "an answer"],
)
def test_harmless_duplicates_are_not_checked(place: Place, came: Message) -> None:
    for _ in range(2):
        place.run(came)
    assert len(place.ran) == 2
    assert place.counters.as_dict() == {}


def test_without_a_caller_a_value_is_dropped_and_an_error_is_logged(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place.run(message("note_at_once", needs_response=False), LOG_ONLY)
    assert len(place.ran) == 1
    place.run(message("no_such", needs_response=False), LOG_ONLY)
    assert "no caller waits" in caplog.text
    assert place.responses == []


def test_a_full_queue_is_an_error_for_the_sender() -> None:
    place = Place(threads=1, waiting=1)
    try:
        place.run(message("hang"))
        poll(lambda: place.ran, "the only thread is taken", pause_seconds=0.002)
        place.run(message())
        place.run(message())
        assert isinstance(place.response().error, exceptions.ManagerBusy)
        assert place.counters.as_dict() == {"refused.ManagerBusy": 1, "over_budget.api": 1}
        # The link to the neighbor works all the same.
        place.run(message("ping"))
        assert place.response(1).value == "pong"
    finally:
        place.stop()


def test_an_endpoint_may_answer_later_and_report_that_it_still_works(place: Place) -> None:
    promise: futures.Future[str] = futures.Future()
    place.run(message("later", kwargs={"promise": [promise]}))
    assert (place.responses, place.signs) == ([], ["working"])
    promise.set_result("done")
    assert place.response() == Response("api!east", "done")


def test_a_later_exception_is_the_response(place: Place) -> None:
    promise: futures.Future[str] = futures.Future()
    place.run(message("later", kwargs={"promise": [promise]}))
    promise.set_exception(exceptions.CellNotFound("gone", cell="x"))
    assert isinstance(place.response().error, exceptions.CellNotFound)
    assert place.counters.as_dict() == {"failed.CellNotFound": 1}
