"""LocalServices: a server that knows nothing of cells is called, and every end of that is an answer."""

from __future__ import annotations

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
from cells.services import heartbeats as beats_module
from cells.services import local as module
from cells.services.allow_list import AllowedServices
from cells.services.local import LocalServices
from cells.services.request import ServiceRequest
from cells.transport.patches import raw_failures
from tests.unit.services.conftest import MakeTransport, Serve
from tools.polling import poll

PATIENCE = 10.0
CONTEXT = {"user_id": "ada"}
COUNT = ServiceRequest(topic="inventory", method="count", args={"kind": "disk"})
SECRET = ServiceRequest(topic="secret", method="drop")


class Inventory:
    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[Any, str]] = queue.SimpleQueue()

    def count(self, ctxt: dict[str, Any], kind: str) -> str:
        self.seen.put((ctxt, kind))
        return f"42 {kind}s"

    def fail(self, ctxt: dict[str, Any]) -> None:
        raise LookupError("no such kind")


class Client:
    """Stands for oslo.messaging's client: it does what the test says, and keeps what it was asked."""

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
            assert self.gate.wait(PATIENCE), "The test never let go"
        if self.error is not None:
            raise self.error
        return "done"

    cast = call


@pytest.fixture
def make(make_transport: MakeTransport) -> Iterator[Callable[..., LocalServices]]:
    made: list[LocalServices] = []

    def make(max_threads: int = 4, max_waiting: int = 10, has_transport: bool = True) -> LocalServices:
        made.append(
            LocalServices(
                cell_name="east",
                transport=make_transport(raw_failures.KEEP) if has_transport else None,
                allowed=AllowedServices(["inventory", "nova/inventory", "warehouse/inventory"], "openstack", ["cells"]),
                max_threads=max_threads,
                max_waiting=max_waiting,
            )
        )
        return made[-1]

    yield make
    for services in made:
        assert services.stop(PATIENCE)


@pytest.fixture
def services(make: Callable[..., LocalServices]) -> LocalServices:
    return make()


@pytest.fixture
def client(services: LocalServices) -> Client:
    services._client = Client()
    return services._client


def call(services: LocalServices, request: ServiceRequest = COUNT, **options: Any) -> Any:
    future = services.call(request, CONTEXT, options.pop("seconds", PATIENCE), is_foreign=True, **options)
    return future.result(PATIENCE)


def end_of_beats(services: LocalServices) -> None:
    """Who waits for the answer hears it a moment before the beats do."""
    poll(lambda: not services._beats._calls, "the beats end", timeout_seconds=PATIENCE, pause_seconds=0.001)


def test_a_server_is_called(services: LocalServices, serve: Serve) -> None:
    inventory = Inventory()
    serve("inventory", inventory)
    assert call(services) == {"result": "42 disks"}
    ctxt, kind = inventory.seen.get(timeout=PATIENCE)
    assert (ctxt["user_id"], kind) == ("ada", "disk")


def test_what_a_service_raises_is_an_answer_as_it_came(services: LocalServices, serve: Serve) -> None:
    serve("inventory", Inventory())
    answer = call(services, ServiceRequest(topic="inventory", method="fail"))
    failure = json.loads(answer["failure"])
    assert (failure["class"], failure["message"]) == ("LookupError", "no such kind")


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (ServiceRequest(topic="inventory", method="nowhere"), "NoSuchMethod"),
        (ServiceRequest(topic="inventory", method="count", version="7.0"), "UnsupportedVersion"),
        (ServiceRequest(topic="inventory", method="count", args={"wrong": 1}), "TypeError"),
    ],
    ids=str,
)
def test_what_a_server_refuses_is_an_answer(
    services: LocalServices, serve: Serve, request_: ServiceRequest, name: str
) -> None:
    serve("inventory", Inventory())
    assert json.loads(call(services, request_)["failure"])["class"] == name


def test_a_cast_arrives_at_the_server_that_is_named(services: LocalServices, serve: Serve) -> None:
    inventories = {name: Inventory() for name in ("one", "two")}
    for name, inventory in inventories.items():
        serve("inventory", inventory, server=name)
    to_two = ServiceRequest(topic="inventory", method="count", args={"kind": "tape"}, server="two")
    assert services.cast(to_two, CONTEXT, is_foreign=True).result(PATIENCE) is None
    assert inventories["two"].seen.get(timeout=PATIENCE)[1] == "tape"
    assert inventories["one"].seen.empty()


def test_a_fanout_cast_arrives_at_all(services: LocalServices, serve: Serve) -> None:
    inventories = [Inventory(), Inventory()]
    for number, inventory in enumerate(inventories):
        serve("inventory", inventory, server=f"host-{number}")
    to_all = ServiceRequest(topic="inventory", method="count", args={"kind": "tape"}, fanout=True)
    services.cast(to_all, CONTEXT, is_foreign=True).result(PATIENCE)
    for inventory in inventories:
        assert inventory.seen.get(timeout=PATIENCE)[1] == "tape"
        assert inventory.seen.empty()


def test_what_other_cells_may_not_call_they_can_not(services: LocalServices, client: Client) -> None:
    for ask in (
        lambda: services.call(SECRET, {}, 1.0, is_foreign=True),
        lambda: services.cast(SECRET, {}, is_foreign=True),
        lambda: services.publish(SECRET, {}, is_foreign=True),
    ):
        with pytest.raises(exceptions.ServiceNotAllowed):
            ask()
    assert client.prepared == []
    # Services of this cell may: they reach its broker without any manager.
    assert services.call(SECRET, {}, 1.0, is_foreign=False).result(PATIENCE) == {"result": "done"}


def test_a_manager_without_a_broker_says_so(make: Callable[..., LocalServices]) -> None:
    lonely = make(has_transport=False)
    with pytest.raises(exceptions.ServiceUnreachable, match="no broker"):
        lonely.call(COUNT, {}, 1.0, is_foreign=True)
    with pytest.raises(exceptions.ServiceUnreachable, match="no broker"):
        lonely.cast(COUNT, {}, is_foreign=True)
    with pytest.raises(exceptions.ServiceNotAllowed):
        lonely.publish(SECRET, {}, is_foreign=True)


def test_a_call_of_all_servers_is_refused(services: LocalServices) -> None:
    with pytest.raises(exceptions.InvalidArguments, match="fan-out"):
        services.call(ServiceRequest(topic="inventory", method="count", fanout=True), {}, 1.0, is_foreign=True)


def test_what_the_request_says_is_what_is_asked(services: LocalServices, client: Client) -> None:
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
    assert client.called.get(timeout=PATIENCE) == (CONTEXT, "count", {"kind": "disk"})


@pytest.mark.parametrize("name", ["self", "ctxt", "method"])
def test_an_argument_that_oslo_messaging_can_not_pass_on_is_refused(services: LocalServices, name: str) -> None:
    for args in ({name: 1}, {name: 1, "kind": "disk"}):
        request = ServiceRequest(topic="inventory", method="count", args=args)
        with pytest.raises(exceptions.InvalidArguments, match=name):
            call(services, request)
        with pytest.raises(exceptions.InvalidArguments, match=name):
            services.cast(request, {}, is_foreign=True).result(PATIENCE)


@pytest.mark.parametrize("version", ["new", "1", "x.y", "1.0.0.0.beta", "٣.0x", "-1.0"])
def test_what_is_no_version_number_ends_as_an_answer(services: LocalServices, serve: Serve, version: str) -> None:
    serve("inventory", Inventory())
    request = ServiceRequest(topic="inventory", method="count", version=version)
    try:
        assert "failure" in call(services, request)
    except exceptions.InvalidArguments as error:
        assert "inventory:count" in str(error)  # noqa: PT017  # one or the other, by what oslo.messaging reads as one


BROKER_ERRORS = [
    oslo_messaging.MessageDeliveryFailure("refused"),
    kombu.exceptions.OperationalError("refused"),
    amqp.AccessRefused("refused"),
    ConnectionRefusedError("refused"),
]


@pytest.mark.parametrize("error", BROKER_ERRORS, ids=lambda error: type(error).__name__)
def test_a_broker_that_does_not_take_it_is_no_error_of_the_service(
    services: LocalServices, client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    client.error = error
    with pytest.raises(exceptions.ServiceUnreachable, match=f"{type(error).__name__}: .*refused") as caught:
        call(services)
    assert caught.value.cell == "east"
    with pytest.raises(exceptions.ServiceUnreachable, match="refused"):
        services.cast(COUNT, {}, is_foreign=True).result(PATIENCE)

    def refuse(*_: Any, **options: Any) -> None:
        assert options["retry"] == module.RETRY, "A broker that is away must not hold a thread for ever"
        raise error

    monkeypatch.setattr(services._transport, "_send", refuse)
    monkeypatch.setattr(services._transport._driver, "send_to_listeners", None)
    to_all = ServiceRequest(topic="inventory", method="count", fanout=True)
    for sent in (
        services.cast(to_all, {}, is_foreign=True),
        services.publish(COUNT, {}, is_foreign=True),
    ):
        with pytest.raises(exceptions.ServiceUnreachable, match="refused"):
            sent.result(PATIENCE)


@pytest.mark.parametrize(
    ("error", "may_arrive"), [(ConnectionResetError("cut off"), True), (ConnectionRefusedError("refused"), None)]
)
def test_what_may_have_reached_the_broker_is_told_apart(
    services: LocalServices, client: Client, error: Exception, may_arrive: bool | None
) -> None:
    client.error = error
    with pytest.raises(exceptions.ServiceUnreachable) as caught:
        call(services)
    assert caught.value.may_arrive is may_arrive


def test_a_topic_that_nobody_serves_is_no_error_of_the_service(services: LocalServices, client: Client) -> None:
    client.error = oslo_messaging.MessageUndeliverable(None, "openstack", "inventory", None)
    with pytest.raises(exceptions.ServiceUnreachable, match="no server of it runs there"):
        call(services)


def test_silence_is_a_timeout_that_says_what_to_check(services: LocalServices, client: Client) -> None:
    client.error = oslo_messaging.MessagingTimeout("late")
    with pytest.raises(exceptions.ServiceTimeout, match=r"inventory:count of cell east .*a server of it runs there\.$"):
        call(services)
    elsewhere = ServiceRequest(topic="inventory", method="count", exchange="nova")
    answer = services.call(elsewhere, {}, PATIENCE, is_foreign=True)
    with pytest.raises(exceptions.ServiceTimeout, match=r"no sign of life .*, with control_exchange = nova"):
        answer.result(PATIENCE)


def test_what_waited_for_a_thread_for_too_long_is_not_called(make: Callable[..., LocalServices]) -> None:
    services = make(max_threads=1)
    client = services._client = Client()
    client.gate = threading.Event()
    first = services.call(COUNT, {}, PATIENCE, is_foreign=True)
    client.called.get(timeout=PATIENCE)
    second = services.call(COUNT, {}, 1e-9, is_foreign=True)
    client.gate.set()
    assert first.result(PATIENCE) == {"result": "done"}
    with pytest.raises(exceptions.ServiceTimeout, match="was not called"):
        second.result(PATIENCE)
    assert client.called.empty()


def test_too_many_calls_are_refused_and_casts_still_go(make: Callable[..., LocalServices]) -> None:
    services = make(max_threads=1, max_waiting=1)
    client = services._client = Client()
    client.gate = threading.Event()
    calls = [services.call(COUNT, {}, PATIENCE, is_foreign=True) for _ in range(3)]
    assert isinstance(calls[2].exception(0), exceptions.ManagerBusy)
    cast = services.cast(COUNT, {}, is_foreign=True)
    client.called.get(timeout=PATIENCE)
    client.called.get(timeout=PATIENCE)
    client.gate.set()
    futures.wait([*calls, cast], PATIENCE)
    assert cast.exception(0) is None


def test_who_waits_hears_that_it_runs_and_nothing_after_the_end(
    services: LocalServices, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats_module, "SHORTEST_SECONDS", 0.001)
    client.gate = threading.Event()
    beats: queue.SimpleQueue[None] = queue.SimpleQueue()
    monitored = ServiceRequest(topic="inventory", method="count", monitor_seconds=0.003)
    answer = services.call(monitored, {}, PATIENCE, is_foreign=True, still_working=lambda: beats.put(None))
    for _ in range(3):
        beats.get(timeout=PATIENCE)
    client.gate.set()
    assert answer.result(PATIENCE) == {"result": "done"}
    end_of_beats(services)


@pytest.mark.parametrize("error", [None, ValueError("no"), oslo_messaging.MessagingTimeout()])
def test_no_beats_are_left_however_a_call_ends(services: LocalServices, client: Client, error: Any) -> None:
    client.error = error
    monitored = ServiceRequest(topic="inventory", method="count", monitor_seconds=3.0)
    futures.wait([services.call(monitored, {}, PATIENCE, is_foreign=True, still_working=lambda: None)], PATIENCE)
    end_of_beats(services)


def test_no_beats_are_left_of_a_call_that_is_refused(make: Callable[..., LocalServices]) -> None:
    services = make()
    services.stop(PATIENCE)
    monitored = ServiceRequest(topic="inventory", method="count", monitor_seconds=3.0)
    refused = services.call(monitored, {}, PATIENCE, is_foreign=True, still_working=lambda: None)
    assert isinstance(refused.exception(0), exceptions.ManagerStopping)
    assert isinstance(services.cast(COUNT, {}, is_foreign=True).exception(0), exceptions.ManagerStopping)
    end_of_beats(services)


def test_nobody_is_told_of_a_call_that_is_not_monitored(services: LocalServices, client: Client) -> None:
    call(services, still_working=lambda: pytest.fail("nobody wants to hear it"))
    assert services._beats._thread is None


def test_a_stop_lets_what_runs_finish(make: Callable[..., LocalServices]) -> None:
    services = make()
    client = services._client = Client()
    client.gate = threading.Event()
    running = services.call(COUNT, {}, PATIENCE, is_foreign=True)
    client.called.get(timeout=PATIENCE)
    assert not services.stop(0.0)
    client.gate.set()
    assert running.result(PATIENCE) == {"result": "done"}
    assert services.stop(PATIENCE)
