"""LocalServices: calls of plain oslo.messaging servers; every outcome becomes an answer or a typed error."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import amqp
import kombu.exceptions
import oslo_messaging
import pytest

from cells import exceptions
from cells.services import local as module
from cells.services.allow_list import AllowedServices
from cells.services.heartbeats import Heartbeats
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest
from cells.services.usage import EVENTS, NOT_ALLOWED
from cells.transport.patches import raw_failures
from tests.unit.services.conftest import MakeTransport, Serve
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
CONTEXT = {"user_id": "ada"}
COUNT = ServiceRequest(topic="inventory", method="count", args={"kind": "disk"})
MONITORED = ServiceRequest(topic="inventory", method="count", monitor_seconds=3.0)
SECRET = ServiceRequest(topic="secret", method="drop")
Make = Callable[..., LocalServices]


class Inventory:
    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[Any, str]] = queue.SimpleQueue()

    def count(self, ctxt: dict[str, Any], kind: str) -> str:
        self.seen.put((ctxt, kind))
        return f"42 {kind}s"

    def fail(self, ctxt: dict[str, Any]) -> None:
        raise LookupError("no such kind")


class Client:
    """Double of oslo.messaging's client: records the calls and fails or blocks as the test demands."""

    def __init__(self) -> None:
        self.prepared: list[dict[str, Any]] = []
        self.called: queue.SimpleQueue[tuple[Any, str, dict[str, Any]]] = queue.SimpleQueue()
        self.error: BaseException | None = None
        self.gate: threading.Event | None = None

    def prepare(self, **options: Any) -> Client:
        self.prepared.append(options)
        return self

    def call(self, ctxt: Any, method: str, **args: Any) -> str:
        self.called.put((ctxt, method, args))
        if self.gate is not None:
            assert self.gate.wait(TIMEOUT_SECONDS), "The test did not open the gate"
        if self.error is not None:
            raise self.error
        return "done"

    cast = call


@pytest.fixture
def heartbeats() -> Heartbeats:
    return Heartbeats(min_interval_seconds=0.001)


@pytest.fixture
def make(make_transport: MakeTransport, heartbeats: Heartbeats) -> Iterator[Make]:
    made: list[LocalServices] = []

    def make(
        client: Client | None = None,
        transport: Any = None,
        max_threads: int = 4,
        max_waiting: int = 10,
        *,
        has_transport: bool = True,
    ) -> LocalServices:
        own_client = {"make_client": lambda *_, **__: client} if client else {}
        made.append(
            LocalServices(
                cell_name="east",
                transport=(transport or make_transport(raw_failures.KEEP)) if has_transport else None,
                allowed=AllowedServices(["inventory", "nova/inventory", "warehouse/inventory"], "openstack", ["cells"]),
                max_threads=max_threads,
                max_waiting=max_waiting,
                heartbeats=heartbeats,
                **own_client,
            )
        )
        return made[-1]

    yield make
    for services in made:
        assert services.stop(TIMEOUT_SECONDS)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def services(make: Make, request: pytest.FixtureRequest) -> LocalServices:
    """With the double ``client`` in tests that use it, else with a real client."""
    return make(request.getfixturevalue("client") if "client" in request.fixturenames else None)


def call(services: LocalServices, request: ServiceRequest = COUNT, **options: Any) -> Any:
    future = services.call(request, CONTEXT, options.pop("seconds", TIMEOUT_SECONDS), neighbor="api", **options)
    return future.result(TIMEOUT_SECONDS)


def wait_for_end_of(heartbeats: Heartbeats) -> None:
    """The answer arrives a moment before the heartbeats end."""
    poll(lambda: heartbeats.is_idle, "the heartbeats end", timeout_seconds=TIMEOUT_SECONDS, pause_seconds=0.001)


def test_a_server_is_called(services: LocalServices, serve: Serve) -> None:
    inventory = Inventory()
    serve("inventory", inventory)
    assert call(services) == {"result": "42 disks"}
    ctxt, kind = inventory.seen.get(timeout=TIMEOUT_SECONDS)
    assert (ctxt["user_id"], kind) == ("ada", "disk")


def test_an_exception_of_a_service_is_an_answer(services: LocalServices, serve: Serve) -> None:
    serve("inventory", Inventory())
    answer = call(services, ServiceRequest(topic="inventory", method="fail"))
    failure = json.loads(answer["failure"])
    assert (failure["class"], failure["message"]) == ("LookupError", "no such kind")


def test_a_traceback_of_a_service_stays_in_the_log_of_its_cell(
    services: LocalServices, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cells")
    serve("inventory", Inventory())
    failed = json.loads(call(services, ServiceRequest(topic="inventory", method="fail"))["failure"])
    assert failed["tb"] == []
    assert any(failed["log_id"] in message and "LookupError" in message for message in caplog.messages)


def test_a_service_of_the_own_cell_gets_the_traceback(services: LocalServices, serve: Serve) -> None:
    serve("inventory", Inventory())
    request = ServiceRequest(topic="inventory", method="fail")
    answer = services.call(request, CONTEXT, TIMEOUT_SECONDS, neighbor="").result(TIMEOUT_SECONDS)
    assert json.loads(answer["failure"])["tb"]


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (ServiceRequest(topic="inventory", method="nowhere"), "NoSuchMethod"),
        (ServiceRequest(topic="inventory", method="count", version="7.0"), "UnsupportedVersion"),
        (ServiceRequest(topic="inventory", method="count", args={"wrong": 1}), "TypeError"),
    ],
    ids=str,
)
def test_a_refusal_is_an_answer(services: LocalServices, serve: Serve, request_: ServiceRequest, name: str) -> None:
    serve("inventory", Inventory())
    assert json.loads(call(services, request_)["failure"])["class"] == name


def test_a_cast_arrives_at_the_server_that_is_named(services: LocalServices, serve: Serve) -> None:
    inventories = {name: Inventory() for name in ("one", "two")}
    for name, inventory in inventories.items():
        serve("inventory", inventory, server=name)
    to_two = ServiceRequest(topic="inventory", method="count", args={"kind": "tape"}, server="two")
    assert services.cast(to_two, CONTEXT, neighbor="api").result(TIMEOUT_SECONDS) is None
    assert inventories["two"].seen.get(timeout=TIMEOUT_SECONDS)[1] == "tape"
    assert inventories["one"].seen.empty()


def test_a_fanout_cast_arrives_at_all(services: LocalServices, serve: Serve) -> None:
    inventories = [Inventory(), Inventory()]
    for number, inventory in enumerate(inventories):
        serve("inventory", inventory, server=f"host-{number}")
    to_all = ServiceRequest(topic="inventory", method="count", args={"kind": "tape"}, fanout=True)
    services.cast(to_all, CONTEXT, neighbor="api").result(TIMEOUT_SECONDS)
    for inventory in inventories:
        assert inventory.seen.get(timeout=TIMEOUT_SECONDS)[1] == "tape"
        assert inventory.seen.empty()


def test_other_cells_can_call_only_allowed_methods(services: LocalServices, client: Client) -> None:
    for ask in (
        lambda: services.call(SECRET, {}, 1.0, neighbor="api"),
        lambda: services.cast(SECRET, {}, neighbor="api"),
        lambda: services.publish(SECRET, {}, neighbor="api"),
    ):
        with pytest.raises(exceptions.ServiceNotAllowed):
            ask()
    assert client.prepared == []
    # Services of this cell may call it: they reach the broker without the manager anyway.
    assert services.call(SECRET, {}, 1.0, neighbor="").result(TIMEOUT_SECONDS) == {"result": "done"}


def test_services_of_a_manager_without_a_broker_are_unreachable(make: Make) -> None:
    lonely = make(has_transport=False)
    with pytest.raises(exceptions.ServiceUnreachable):
        lonely.call(COUNT, {}, 1.0, neighbor="api")
    with pytest.raises(exceptions.ServiceUnreachable):
        lonely.cast(COUNT, {}, neighbor="api")
    with pytest.raises(exceptions.ServiceNotAllowed):
        lonely.publish(SECRET, {}, neighbor="api")


def test_a_call_of_all_servers_is_refused(services: LocalServices) -> None:
    with pytest.raises(exceptions.InvalidArguments):
        services.call(ServiceRequest(topic="inventory", method="count", fanout=True), {}, 1.0, neighbor="api")


def test_all_fields_of_the_request_reach_the_client(services: LocalServices, client: Client) -> None:
    request = ServiceRequest(
        topic="inventory",
        method="count",
        args={"kind": "disk"},
        exchange="warehouse",
        namespace="admin",
        version="1.2",
        server="host-1",
        monitor_seconds=3.0,
        at_least_once=True,
    )
    assert call(services, request, seconds=5.0) == {"result": "done"}
    (options,) = client.prepared
    assert 4.0 < options.pop("timeout") <= 5.0
    assert options.pop("transport_options").at_least_once
    assert options == {
        "topic": "inventory",
        "exchange": "warehouse",
        "namespace": "admin",
        "version": "1.2",
        "server": "host-1",
        "call_monitor_timeout": 3.0,
    }
    assert client.called.get(timeout=TIMEOUT_SECONDS) == (CONTEXT, "count", {"kind": "disk"})


@pytest.mark.parametrize("name", ["self", "ctxt", "method"])
def test_argument_names_that_oslo_messaging_reserves_are_refused(services: LocalServices, name: str) -> None:
    for args in ({name: 1}, {name: 1, "kind": "disk"}):
        request = ServiceRequest(topic="inventory", method="count", args=args)
        with pytest.raises(exceptions.InvalidArguments, match=name):
            call(services, request)
        with pytest.raises(exceptions.InvalidArguments, match=name):
            services.cast(request, {}, neighbor="api").result(TIMEOUT_SECONDS)


@pytest.mark.parametrize("version", ["new", "1", "x.y", "1.0.0.0.beta", "٣.0x", "-1.0"])
def test_an_invalid_version_is_an_answer_or_an_error(services: LocalServices, serve: Serve, version: str) -> None:
    serve("inventory", Inventory())
    request = ServiceRequest(topic="inventory", method="count", version=version)
    try:
        assert "failure" in call(services, request)
    except exceptions.InvalidArguments as error:
        assert "inventory:count" in str(error)  # noqa: PT017  # either outcome, as oslo.messaging parses the version


BROKER_ERRORS = [
    oslo_messaging.MessageDeliveryFailure("refused"),
    kombu.exceptions.OperationalError("refused"),
    amqp.AccessRefused("refused"),
    ConnectionRefusedError("refused"),
]


@pytest.mark.parametrize("error", BROKER_ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_the_broker_is_no_error_of_the_service(
    make: Make, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: Any, **options: Any) -> None:
        assert options["retry"] == module.RETRY, "A broker that is down must not block a thread forever"
        raise error

    client, transport = Client(), make_transport(raw_failures.KEEP)
    client.error = error
    services = make(client, transport)
    monkeypatch.setattr(transport, "_send", refuse)
    monkeypatch.setattr(transport._driver, "send_to_listeners", None)
    to_all = ServiceRequest(topic="inventory", method="count", fanout=True)
    for sent in (
        services.call(COUNT, {}, TIMEOUT_SECONDS, neighbor="api"),
        services.cast(COUNT, {}, neighbor="api"),
        services.cast(to_all, {}, neighbor="api"),
        services.publish(COUNT, {}, neighbor="api"),
    ):
        with pytest.raises(exceptions.ServiceUnreachable, match="refused") as caught:
            sent.result(TIMEOUT_SECONDS)
        assert caught.value.cell == "east"


@pytest.mark.parametrize(
    ("error", "may_arrive"),
    [
        (ConnectionResetError("cut off"), True),
        (ConnectionRefusedError("refused"), None),
        (oslo_messaging.MessageUndeliverable(None, "openstack", "inventory", None), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_tells_whether_the_message_may_arrive(
    services: LocalServices, client: Client, error: Exception, may_arrive: bool | None
) -> None:
    client.error = error
    with pytest.raises(exceptions.ServiceUnreachable) as caught:
        call(services)
    assert caught.value.may_arrive is may_arrive


def test_a_timeout_names_the_request_and_its_exchange(services: LocalServices, client: Client) -> None:
    client.error = oslo_messaging.MessagingTimeout("late")
    with pytest.raises(exceptions.ServiceTimeout, match="inventory:count") as caught:
        call(services)
    assert caught.value.cell == "east"
    elsewhere = ServiceRequest(topic="inventory", method="count", exchange="nova")
    with pytest.raises(exceptions.ServiceTimeout, match="control_exchange = nova"):
        call(services, elsewhere)


def test_a_call_whose_deadline_passes_in_the_queue_is_not_made(make: Make) -> None:
    client = Client()
    services = make(client, max_threads=1)
    client.gate = threading.Event()
    first = services.call(COUNT, {}, TIMEOUT_SECONDS, neighbor="api")
    client.called.get(timeout=TIMEOUT_SECONDS)
    second = services.call(COUNT, {}, 1e-9, neighbor="api")
    client.gate.set()
    assert first.result(TIMEOUT_SECONDS) == {"result": "done"}
    with pytest.raises(exceptions.ServiceTimeout):
        second.result(TIMEOUT_SECONDS)
    assert client.called.empty()


def test_too_many_calls_are_refused_and_casts_still_go(make: Make) -> None:
    client = Client()
    services = make(client, max_threads=1, max_waiting=1)
    client.gate = threading.Event()
    calls = [services.call(COUNT, {}, TIMEOUT_SECONDS, neighbor="") for _ in range(2)]
    with pytest.raises(exceptions.ManagerBusy):
        services.call(COUNT, {}, TIMEOUT_SECONDS, neighbor="")
    cast = services.cast(COUNT, {}, neighbor="api")
    client.called.get(timeout=TIMEOUT_SECONDS)
    client.called.get(timeout=TIMEOUT_SECONDS)
    client.gate.set()
    futures.wait([*calls, cast], TIMEOUT_SECONDS)
    assert cast.exception(0) is None


def test_monitored_call_sends_heartbeats(services: LocalServices, client: Client, heartbeats: Heartbeats) -> None:
    client.gate = threading.Event()
    sent: queue.SimpleQueue[None] = queue.SimpleQueue()
    monitored = ServiceRequest(topic="inventory", method="count", monitor_seconds=0.003)
    answer = services.call(monitored, {}, TIMEOUT_SECONDS, neighbor="api", still_working=lambda: sent.put(None))
    for _ in range(3):
        sent.get(timeout=TIMEOUT_SECONDS)
    client.gate.set()
    assert answer.result(TIMEOUT_SECONDS) == {"result": "done"}
    wait_for_end_of(heartbeats)


@pytest.mark.parametrize("error", [None, ValueError("no"), oslo_messaging.MessagingTimeout()])
def test_heartbeats_end_however_a_call_ends(
    services: LocalServices, client: Client, heartbeats: Heartbeats, error: Any
) -> None:
    client.error = error
    futures.wait(
        [services.call(MONITORED, {}, TIMEOUT_SECONDS, neighbor="api", still_working=lambda: None)], TIMEOUT_SECONDS
    )
    wait_for_end_of(heartbeats)


def test_heartbeats_end_if_a_call_is_refused(services: LocalServices, heartbeats: Heartbeats) -> None:
    services.stop(TIMEOUT_SECONDS)
    with pytest.raises(exceptions.ManagerStopping):
        services.call(MONITORED, {}, TIMEOUT_SECONDS, neighbor="api", still_working=lambda: None)
    with pytest.raises(exceptions.ManagerStopping):
        services.cast(COUNT, {}, neighbor="api")
    wait_for_end_of(heartbeats)


def test_unmonitored_calls_send_no_heartbeats(services: LocalServices, client: Client, heartbeats: Heartbeats) -> None:
    call(services, still_working=lambda: pytest.fail("The caller does not understand heartbeats"))
    assert heartbeats.is_idle


def test_a_stop_lets_running_calls_finish(services: LocalServices, client: Client) -> None:
    client.gate = threading.Event()
    running = services.call(COUNT, {}, TIMEOUT_SECONDS, neighbor="api")
    client.called.get(timeout=TIMEOUT_SECONDS)
    assert not services.stop(0.0)
    client.gate.set()
    assert running.result(TIMEOUT_SECONDS) == {"result": "done"}
    assert services.stop(TIMEOUT_SECONDS)


def test_the_outcomes_are_counted_by_caller(make: Make) -> None:
    client = Client()
    services = make(client)

    def ask(request: ServiceRequest, error: BaseException | None, neighbor: str) -> None:
        client.error = error
        with contextlib.suppress(exceptions.CellsError):
            services.call(request, CONTEXT, TIMEOUT_SECONDS, neighbor=neighbor).exception(TIMEOUT_SECONDS)

    ask(COUNT, None, "")
    for error in (None, oslo_messaging.MessagingTimeout("late"), LookupError("none"), ConnectionError("away")):
        ask(COUNT, error, "api")
    ask(SECRET, None, "api")
    uses = services.usage.as_dict()["uses"]
    nonzero = {(use["service"], use["caller"]): {event: use[event] for event in EVENTS if use[event]} for use in uses}
    assert nonzero == {
        (NOT_ALLOWED, "api"): {"refused": 1},
        ("inventory", "api"): {"calls": 4, "timed_out": 1, "failed": 1, "unreachable": 1},
        ("inventory", services.cell_name): {"calls": 1},
    }
