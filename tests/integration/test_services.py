"""Services two cells away: plain oslo.messaging servers, called through real managers."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

import cells.rpc
from cells import exceptions
from tests.integration.garbage import Broken
from tests.integration.probe import TOPIC
from tests.integration.processes import make_manager
from tests.integration.service_process import (
    FAR,
    INVENTORY,
    ONE,
    TWO,
    Services,
    guide_output,
    open_transport,
    run_example,
    write_configuration,
)
from tools.polling import poll

TIMEOUT_SECONDS = 10.0
CONTEXT = {"user": "ada", "roles": ["admin", "größe"], "deep": {"list": [1, 2.5, None, True]}, "is_admin": False}


@pytest.fixture(scope="module", autouse=True)
def errors_module() -> Iterator[None]:
    """Only the server and the client know the module of the example's errors; the managers do not."""
    sys.path.insert(0, str(INVENTORY))
    try:
        yield
    finally:
        sys.path.remove(str(INVENTORY))
        sys.modules.pop("inventory_errors", None)


@pytest.fixture(scope="module")
def inventory(deployed: Services) -> cells.rpc.RPCClient:
    return deployed.client("api", "inventory", "1.2", timeout=TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def probe(deployed: Services) -> cells.rpc.RPCClient:
    return deployed.client("api", TOPIC, timeout=TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def near(deployed: Services) -> Any:
    """Plain oslo.messaging client of the example, in its cell."""
    return deployed.plain_client("az1", "inventory", "1.2", timeout=TIMEOUT_SECONDS)


def raised(ask: Callable[[], object]) -> Any:
    """Return the error of a call."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the tests check the error
        ask()
    return caught.value


def counts(inventory: cells.rpc.RPCClient, kind: str) -> list[int]:
    """Return the stock of each of the two servers."""
    return [inventory.prepare(cell=FAR, server=name).call({}, "count", kind=kind) for name in (ONE, TWO)]


def test_call_is_answered_by_a_server_two_cells_away(inventory: cells.rpc.RPCClient) -> None:
    assert inventory.prepare(cell=FAR).call(CONTEXT, "count", kind="card") == 5
    assert inventory.prepare(cell="az1").call(CONTEXT, "count", kind="card") == 5


def test_call_upward(deployed: Services) -> None:
    error = raised(lambda: deployed.client("az1", "inventory").prepare(cell="api").call({}, "count", kind="card"))
    assert isinstance(error, exceptions.ServiceNotAllowed)
    assert "api" in str(error)


def test_the_whole_context_arrives(probe: cells.rpc.RPCClient, deployed: Services) -> None:
    arrived = probe.prepare(cell=FAR).call(CONTEXT, "echo", value=1)["context"]
    plain = deployed.plain_client("az1", TOPIC, timeout=TIMEOUT_SECONDS)
    # An oslo.messaging driver may add keys.
    assert arrived == plain.call(CONTEXT, "echo", value=1)["context"]
    assert CONTEXT.items() <= arrived.items()


def test_without_a_cell_the_client_is_the_plain_client(deployed: Services) -> None:
    here = deployed.client("az1", "inventory", "1.2", timeout=TIMEOUT_SECONDS)
    assert here.call({}, "count", kind="card") == 5


def test_server_directed(inventory: cells.rpc.RPCClient) -> None:
    for name in (ONE, TWO, ONE):
        assert inventory.prepare(cell=FAR, server=name).call({}, "who_asks")["host"] == name


def test_cast_reaches_one_server(inventory: cells.rpc.RPCClient) -> None:
    before = sum(counts(inventory, "disk"))
    assert inventory.prepare(cell=FAR).cast({}, "add", kind="disk", number=7) is None
    poll(lambda: sum(counts(inventory, "disk")) == before + 7, "it was added once")


def test_fanout_reaches_each_server_once(inventory: cells.rpc.RPCClient) -> None:
    before = counts(inventory, "card")
    inventory.prepare(cell=FAR, fanout=True).cast({}, "add", kind="card", number=2)
    poll(lambda: counts(inventory, "card") == [count + 2 for count in before], "each has added it")
    inventory.prepare(cell=FAR, fanout=True).cast({}, "add", kind="card", number=-2)
    poll(lambda: counts(inventory, "card") == before, "each has taken it away")


def test_call_of_a_fanout_is_an_error(inventory: cells.rpc.RPCClient) -> None:
    with pytest.raises(oslo_messaging.InvalidTarget):
        inventory.prepare(cell=FAR, fanout=True).call({}, "count", kind="disk")


def test_namespace_and_version(probe: cells.rpc.RPCClient) -> None:
    admin = probe.prepare(cell=FAR, namespace="admin", version="2.1")
    assert admin.call({}, "echo", value=1)["value"] == "admin 1"
    assert probe.prepare(cell=FAR, version="1.3").call({}, "echo", value=1)["value"] == 1


def test_version_above_the_cap_is_not_even_sent(probe: cells.rpc.RPCClient, tmp_path: Path) -> None:
    capped = probe.prepare(cell=FAR, version="1.3", version_cap="1.2")
    assert not capped.can_send_version()
    for send in (capped.call, capped.cast):
        with pytest.raises(oslo_messaging.RPCVersionCapError):
            send({}, "note", mark=str(tmp_path / "mark"))
    with pytest.raises(oslo_messaging.RPCVersionCapError):
        capped.prepare(cell=None, cells="down").multicall({}, "note", mark=str(tmp_path / "mark"))
    capped.prepare(version="1.2").call({}, "note", mark=str(tmp_path / "mark"), text="after")
    assert (tmp_path / "mark").read_text() == "after\n"


class Thing:
    """Entity that a serializer converts to and from JSON."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]


class ThingSerializer(oslo_messaging.NoOpSerializer):
    """Serializer of one class, which adds a key to contexts."""

    def serialize_entity(self, ctxt: Any, entity: Any) -> Any:
        return {"thing.data": entity.data, "thing.version": "1.4"} if isinstance(entity, Thing) else entity

    def deserialize_entity(self, ctxt: Any, entity: Any) -> Any:
        if isinstance(entity, dict) and "value" in entity:
            return {**entity, "value": Thing(entity["value"]["thing.data"])}
        return entity

    def serialize_context(self, ctxt: Any) -> Any:
        return {**ctxt, "serialized": True}


def test_serialized_entity_passes_the_relays_untouched(deployed: Services) -> None:
    client = deployed.client("api", TOPIC, serializer=ThingSerializer(), timeout=TIMEOUT_SECONDS)
    thing = Thing({"größe": [1, 2.5, None, {"a!b": "\u2028"}], "failure": True, "oslo.version": "9.0"})
    answer = client.prepare(cell=FAR).call(CONTEXT, "echo", value=thing)
    assert answer["value"] == thing
    assert answer["context"].items() >= {**CONTEXT, "serialized": True}.items()
    [(cell, answer)] = client.prepare(cells=[FAR]).multicall(CONTEXT, "echo", value=thing)
    assert (cell, answer["value"]) == (FAR, thing)


# Errors, equal to those of the plain client in the service's own cell


def test_error_of_an_allowed_module_is_raised_again(inventory: cells.rpc.RPCClient, near: Any) -> None:
    from inventory_errors import NotEnough  # type: ignore[import-not-found]

    def ask(client: Any) -> Any:
        return raised(lambda: client.call({}, "take", kind="disk", number=1000))

    far_error, near_error = ask(inventory.prepare(cell=FAR, server=ONE)), ask(near.prepare(server=ONE))
    assert isinstance(far_error, NotEnough)
    assert type(far_error).__name__ == type(near_error).__name__ == "NotEnough_Remote"
    assert type(far_error).__module__ == type(near_error).__module__
    assert far_error.args == near_error.args
    assert far_error.kwargs == near_error.kwargs
    assert far_error.there_are == near_error.there_are == counts(inventory, "disk")[0]
    assert str(far_error).splitlines()[0] == str(near_error).splitlines()[0]
    # The traceback stays in the other cell.
    assert "Traceback" in str(near_error)
    assert "Traceback" not in str(far_error)


@pytest.mark.parametrize(
    ("prepared", "method", "arguments", "exc_type"),
    [
        pytest.param({}, "count", {"kind": "tape"}, "NoSuchKind", id="of-another-module"),
        pytest.param({}, "no_such_method", {}, "NoSuchMethod", id="unknown-method"),
        pytest.param({"version": "1.9"}, "count", {"kind": "disk"}, "UnsupportedVersion", id="unknown-version"),
        pytest.param({"namespace": "x"}, "count", {"kind": "disk"}, "UnsupportedVersion", id="unknown-namespace"),
    ],
)
def test_other_errors_are_remote_errors(
    inventory: cells.rpc.RPCClient,
    near: Any,
    prepared: dict[str, Any],
    method: str,
    arguments: dict[str, Any],
    exc_type: str,
) -> None:
    far_error = raised(lambda: inventory.prepare(cell=FAR, **prepared).call({}, method, **arguments))
    near_error = raised(lambda: near.prepare(**prepared).call({}, method, **arguments))
    assert isinstance(far_error, cells.rpc.RemoteError)
    assert isinstance(far_error, oslo_messaging.RemoteError)
    assert type(near_error) is oslo_messaging.RemoteError
    assert far_error.exc_type == near_error.exc_type == exc_type
    assert far_error.value == near_error.value
    # The traceback stays in the other cell.
    assert "Traceback" in str(near_error)
    assert "Traceback" not in str(far_error)


def test_error_of_python_itself_is_raised_again(inventory: cells.rpc.RPCClient, near: Any) -> None:
    far_error = raised(lambda: inventory.prepare(cell=FAR).call({}, "take", kind="tape"))
    near_error = raised(lambda: near.call({}, "take", kind="tape"))
    assert isinstance(far_error, KeyError)
    assert type(far_error) is type(near_error)
    assert far_error.args[0].splitlines()[0] == near_error.args[0].splitlines()[0] == "'tape'"
    assert "Traceback" not in str(far_error)


# Allow-list


@pytest.mark.parametrize("send", ["call", "cast"])
def test_a_service_that_is_not_allowed(inventory: cells.rpc.RPCClient, deployed: Services, send: str) -> None:
    east = inventory.prepare(cell="api!east")
    if send == "call":
        error = raised(lambda: east.call({}, "count", kind="disk"))
        assert isinstance(error, exceptions.ServiceNotAllowed)
        assert "allowed_services = inventory:count" in str(error)
        assert error.cell == "east"
        return
    # The caller of a cast gets no later errors; the log of the called cell has them.
    east.cast({}, "forget", kind="disk")
    poll(lambda: "allowed_services = inventory:forget" in deployed.tree["east"].log(), "it is refused")


@pytest.mark.parametrize(
    ("topic", "server"),
    [
        ("cells", None),
        ("cells", "az1"),
        ("cells", "intercell.targeted"),
        ("cells.intercell.targeted", None),
        ("cells.intercell", "response"),
        ("cells.az1", None),
    ],
)
def test_no_entry_allows_the_topics_of_the_manager(probe: cells.rpc.RPCClient, topic: str, server: str | None) -> None:
    client = probe.prepare(cell=FAR, topic=topic, server=server)
    for method, namespace in (("status", None), ("call", "services"), ("process_message", None)):
        error = raised(lambda: client.prepare(namespace=namespace).call({}, method))  # noqa: B023  # called at once
        assert isinstance(error, exceptions.ServiceNotAllowed)


# Timeouts


def test_slow_method_is_a_timeout_in_time(probe: cells.rpc.RPCClient, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(cells.rpc.Timeout) as caught:
        probe.prepare(cell=FAR, timeout=1).call({}, "work", mark=str(tmp_path / "mark"), seconds=2)
    assert 0.5 < time.monotonic() - started < 1.5
    assert isinstance(caught.value, oslo_messaging.MessagingTimeout)
    assert "az1" in str(caught.value)


def test_a_topic_without_servers(probe: cells.rpc.RPCClient, deployed: Services) -> None:
    started = time.monotonic()
    error = raised(lambda: probe.prepare(cell=FAR, topic="unserved", timeout=1, retry=0).call({}, "echo", value=1))
    assert time.monotonic() - started < 4
    assert isinstance(error, cells.rpc.MessageDeliveryFailure)
    assert "unserved:echo" in str(error)


def test_no_manager_in_the_own_cell(tmp_path: Path, deployed: Services) -> None:
    taken = deployed.transports.take()
    manager = make_manager(tmp_path, "solo", taken)
    manager.sync_database()
    write_configuration(tmp_path / "service.conf", taken, manager.connection)
    transport = open_transport(tmp_path / "service.conf")
    try:
        client = cells.rpc.get_rpc_client(transport, oslo_messaging.Target(topic=TOPIC), timeout=1, retry=0)
        started = time.monotonic()
        error = raised(lambda: client.prepare(cell="api").call({}, "echo", value=1))
        assert time.monotonic() - started < 2
    finally:
        transport.cleanup()
    assert isinstance(error, (cells.rpc.Timeout, cells.rpc.MessageDeliveryFailure))
    assert "manager" in str(error)


# Other guarantees


def test_a_duplicate_message_runs_once(deployed: Services, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def sent(message_id: str, text: str) -> Broken:
        request = {
            "target": {"topic": TOPIC},
            "message": {"method": "note", "args": {"mark": str(mark), "text": text}},
        }
        return process_message(
            {
                "message_type": "targeted",
                "ctxt": {},
                "method_name": "service_cast",
                "method_kwargs": {"request": request},
                "direction": "down",
                "need_response": False,
                "fanout": False,
                "uuid": message_id,
                "routing_path": "api!east",
                "target_cell": FAR,
                "hop_count": 2,
                "max_hop_count": 10,
            }
        )

    same_id = str(uuid.uuid4())
    bodies = [sent(same_id, "twice"), sent(same_id, "twice"), sent(str(uuid.uuid4()), "last")]
    deployed.transports.publish(deployed.tree.transports["az1"], bodies)
    poll(lambda: mark.exists() and "last" in mark.read_text(), "all have come")
    poll(lambda: deployed.tree["az1"].status()["counters"].get("dropped.duplicate") == 1, "one was dropped")
    assert sorted(mark.read_text().split()) == ["last", "twice"]


def process_message(message: dict[str, Any]) -> Broken:
    """Return the body of the message of a neighbor."""
    payload = {"method": "process_message", "args": {"message": json.dumps(message)}, "version": "1.0"}
    text = json.dumps({**payload, "namespace": None, "_unique_id": uuid.uuid4().hex})
    envelope = {"oslo.version": "2.0", "oslo.message": text}
    return Broken(message["message_type"], json.dumps(envelope).encode(), "application/json")


def test_the_client_of_the_guide_prints_the_output_of_the_guide(deployed: Services) -> None:
    def in_one_cell(lines: list[str]) -> list[str]:
        # Other tests have changed the stock, and the tree of the guide has other cells.
        return [re.sub(r"[0-9]+", "9", line) for line in lines if not line.startswith("api")]

    printed = run_example("client.py", deployed.config_file("api")).splitlines()
    assert in_one_cell(printed) == in_one_cell(guide_output())
    assert f"{FAR}: 5" in printed
