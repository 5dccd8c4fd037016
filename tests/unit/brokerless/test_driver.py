"""The driver, used as oslo.messaging does: messages from one transport to another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging import Target
from oslo_messaging._drivers import common as rpc_common

from cells import conf as cells_conf
from cells import exceptions
from cells.brokerless import backlog, frames, router_socket
from cells.brokerless.driver import ZmqDriver
from cells.brokerless.keys import KeyStore
from cells.brokerless.listener import Incoming
from cells.brokerless.server import NO_LISTENER
from tests.cases import each
from tests.unit.brokerless.serving import WAIT_SECONDS, ServingProcess, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

TARGET = Target(topic="cells", server="one", exchange="openstack")
MakeDriver = Callable[..., ZmqDriver]


@pytest.fixture
def make_driver(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeDriver]:
    made: list[ZmqDriver] = []

    def make(url: str, modules: tuple[str, ...] = (), **options: Any) -> ZmqDriver:
        conf = cells_conf.load([])
        defaults = {"ipc_dir": str(sockets), "matchmaker": "localhost", "delivery_timeout": 5.0, "connect_timeout": 0.5}
        for name, value in {**defaults, **options}.items():
            conf.set_override(name, value, group="oslo_messaging_zmq")
        made.append(ZmqDriver(conf, oslo_messaging.TransportURL.parse(conf, url), "openstack", list(modules)))
        return made[-1]

    yield make
    monkeypatch.setattr(router_socket, "READ_SECONDS", 0.0)
    for one in made:
        assert ended(on_thread(one.cleanup))


def echo(messages: list[Incoming]) -> None:
    (incoming,) = messages
    incoming.acknowledge()
    incoming.reply(incoming.message)


@pytest.fixture
def client(make_driver: MakeDriver, sockets: Path) -> ZmqDriver:
    """A client of all processes with a socket in the directory."""
    return make_driver(f"zmq+ipc://{sockets}")


def call(client: ZmqDriver, message: dict[str, Any] | None = None, target: Target = TARGET, **options: Any) -> Any:
    return client.send(target, {}, message or {"a": 1}, wait_for_reply=True, **{"timeout": WAIT_SECONDS, **options})


def test_call_and_cast_through_a_server(make_driver: MakeDriver, client: ZmqDriver) -> None:
    received: list[Any] = []

    def take(messages: list[Incoming]) -> None:
        received.append((messages[0].ctxt, messages[0].message))
        echo(messages)

    make_driver("zmq:///").listen(TARGET, 1, None).start(take)
    for target in (TARGET, Target(topic="cells"), Target(topic="cells", server="one")):
        assert call(client, {"method": "Größe"}, target) == {"method": "Größe"}
    for target in (TARGET, Target(topic="cells"), Target(topic="cells", fanout=True)):
        assert client.send(target, {"user": "u"}, {"a": 1}) is None
    poll(lambda: len(received) == 6, "all are handled")
    assert received[-1] == ({"user": "u"}, {"a": 1})
    for target in (Target(topic="other"), Target(topic="cells", server="two"), Target(topic="cells", exchange="x")):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure, match=NO_LISTENER):
            call(client, target=target, retry=0)


def test_failure_of_an_allowed_module_is_rebuilt(make_driver: MakeDriver, sockets: Path) -> None:
    def fail(messages: list[Incoming]) -> None:
        error = exceptions.CellNotFound("There is no cell x.", cell="x")
        messages[0].reply(failure=(type(error), error, None))

    make_driver("zmq:///").listen(TARGET, 1, None).start(fail)
    with pytest.raises(exceptions.CellNotFound) as raised:
        call(make_driver(f"zmq+ipc://{sockets}", ("cells.exceptions",)))
    assert raised.value.cell == "x"
    with pytest.raises(oslo_messaging.RemoteError) as unknown:
        call(make_driver(f"zmq+ipc://{sockets}"))
    assert unknown.value.exc_type == "CellNotFound"


def test_result_without_json_form_is_a_failure_of_the_caller(make_driver: MakeDriver, client: ZmqDriver) -> None:
    make_driver("zmq:///").listen(TARGET, 1, None).start(lambda messages: messages[0].reply({(1, 2): 3}))
    with pytest.raises((TypeError, oslo_messaging.RemoteError)):
        call(client)


def test_arguments_without_json_form_are_an_error(client: ZmqDriver) -> None:
    with pytest.raises(TypeError):
        call(client, {"a": {(1, 2): 3}})


@pytest.mark.parametrize(("length", "is_accepted"), [(1500, True), (2500, False)])
def test_too_long_message_and_reply(make_driver: MakeDriver, sockets: Path, length: int, is_accepted: bool) -> None:
    def reply_twice_as_long(messages: list[Incoming]) -> None:
        messages[0].reply("x" * len(messages[0].message["a"]) * 2)

    make_driver("zmq:///", max_message_bytes=2048).listen(TARGET, 1, None).start(reply_twice_as_long)
    client = make_driver(f"zmq+ipc://{sockets}", max_message_bytes=2048)
    error = ValueError if is_accepted else oslo_messaging.MessageDeliveryFailure
    with pytest.raises(error, match="3002 bytes" if is_accepted else "max_message_bytes"):
        call(client, {"a": "x" * length})
    assert call(client, {"a": "x" * 5}) == "x" * 10


def test_malformed_answer_is_an_error_of_oslo(client: ZmqDriver, process: ServingProcess) -> None:
    answers = [
        (frames.REPLY, b"{"),
        (frames.ACCEPTED, b""),
        (b"unknown", b"\xff"),
        (frames.FAILURE, b"null"),
        (frames.FAILURE, b"[1]"),
        (frames.FAILURE, b"\xff"),
        (frames.FAILURE, b'{"class": 1}'),
    ]
    process.handle("openstack~cells.one", lambda delivery: delivery.answer(*answers[-1]))
    while answers:
        with pytest.raises((oslo_messaging.MessagingException, rpc_common.RPCException)):
            call(client)
        answers.pop()


def test_stopped_listener_gets_no_message_and_a_new_listener_does(make_driver: MakeDriver, client: ZmqDriver) -> None:
    driver = make_driver("zmq:///")
    first = driver.listen(TARGET, 1, None)
    first.start(echo)
    assert call(client) == {"a": 1}
    first.stop()
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        call(client, retry=0)
    driver.listen(TARGET, 1, None).start(echo)
    assert call(client) == {"a": 1}


def test_notifications_wait_for_a_listener_of_their_priority(
    make_driver: MakeDriver, client: ZmqDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "RETRY_INTERVAL_SECONDS", 0.02)
    received: list[Any] = []
    client.send_notification(Target(topic="n.info"), {}, {"event": 1}, 2.0, 0)
    listener = make_driver("zmq:///").listen_for_notifications([(Target(topic="n"), "info")], None, 1, None)

    def take(messages: list[Incoming]) -> None:
        received.extend(one.message for one in messages)

    listener.start(take)
    poll(lambda: received, "the kept notification arrives")
    client.send_notification(Target(topic="n.info"), {}, {"event": 2}, 2.0, None)
    poll(lambda: len(received) == 2, "the next notification arrives")
    assert received == [{"event": 1}, {"event": 2}]
    listener.stop()


def test_notification_for_current_listeners(make_driver: MakeDriver, client: ZmqDriver) -> None:
    received: list[Any] = []
    client.send_to_listeners(Target(topic="n.info"), {}, {"event": 1})
    listener = make_driver("zmq:///").listen_for_notifications([(Target(topic="n"), "info")], None, 1, None)
    listener.start(lambda messages: received.extend(one.message for one in messages))

    def is_heard() -> bool:
        client.send_to_listeners(Target(topic="n.info"), {}, {"event": 2})
        return bool(received)

    poll(is_heard, "a notification arrives")
    assert {"event": 1} not in received
    listener.stop()


def test_closed_driver_raises_delivery_failures(make_driver: MakeDriver, client: ZmqDriver) -> None:
    make_driver("zmq:///").listen(TARGET, 1, None).start(echo)
    call(client)
    client.cleanup()
    client.cleanup()
    for use in (
        lambda: call(client),
        lambda: client.send(TARGET, {}, {}),
        lambda: client.send_notification(TARGET, {}, {}, 2.0, 0),
        lambda: client.send_to_listeners(TARGET, {}, {}),
        lambda: client.listen(TARGET, 1, None),
    ):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure):
            use()


def test_wrong_option_is_a_delivery_failure(make_driver: MakeDriver) -> None:
    client = make_driver("zmq:///", matchmaker="unheard-of")
    for use in (lambda: call(client), lambda: client.send_notification(TARGET, {}, {}, 2.0, 0)):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="'unheard-of'"):
            use()


def test_closing_while_calls_wait(make_driver: MakeDriver, sockets: Path) -> None:
    waiting: list[Incoming] = []
    server = make_driver("zmq:///")
    server.listen(TARGET, 1, None).start(waiting.extend)
    client = make_driver(f"zmq+ipc://{sockets}", max_connections=2)
    with futures.ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call, client) for _ in range(4)]
        poll(lambda: len(waiting) == 2, "two calls wait for their answers")
        assert ended(on_thread(client.cleanup))
        for incoming in list(waiting):
            incoming.reply("done")
        results = [one.exception(WAIT_SECONDS) or one.result() for one in calls]
    assert results.count("done") == 2
    assert sum(isinstance(one, oslo_messaging.MessageDeliveryFailure) for one in results) == 2


def test_constructor_does_no_io(make_driver: MakeDriver, sockets: Path) -> None:
    before = set(threading.enumerate())
    driver = make_driver("zmq:///", matchmaker="unknown", keys_dir="/nowhere")
    driver.require_features(requeue=True)
    # Threads of earlier tests may end meanwhile.
    assert set(threading.enumerate()) <= before
    assert list(sockets.iterdir()) == []


@each(
    "url",
    [
        *("zmq://user:s3cret@10.0.0.5:5570/", "zmq://:s3cret@10.0.0.5:5570/"),
        "zmq://10.0.0.5/?matchmaker_connection=redis://:s3cret@host/",
        "zmq:///path?matchmaker_connection=redis://:s3cret@host/",
        "zmq:///?max_connections=none&matchmaker_connection=redis://:s3cret@host/",
        *("zmq:///?max_connections=0", "zmq:///?tcp_security=tls", "zmq:///?no_such_option=1", "zmq+ipc://"),
    ],
)
def test_wrong_url_is_refused_without_showing_secrets(make_driver: MakeDriver, url: str) -> None:
    with pytest.raises(oslo_messaging.InvalidTransportURL) as raised:
        make_driver(url)
    assert str(raised.value)
    assert "s3cret" not in str(raised.value) + repr(raised.value) + repr(raised.value.__cause__)


def test_plain_tcp_by_name(make_driver: MakeDriver) -> None:
    (port,) = free_ports(1)
    url = f"zmq://127.0.0.1:{port}/?tcp_security=none"
    make_driver(url).listen(TARGET, 1, None).start(echo)
    assert call(make_driver(url)) == {"a": 1}
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="cells key create"):
        call(make_driver(f"zmq://127.0.0.1:{port}/", keys_dir="/nowhere"), retry=0)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, KeyStore]:
    """Keys of the serving cell, and of two other cells that know it as "api"."""
    stores = {name: KeyStore(tmp_path / name) for name in ("api", "east", "west")}
    for store in stores.values():
        store.create()
    for name in ("east", "west"):
        stores[name].add("api", stores["api"].own_public())
    stores["api"].add("east", stores["east"].own_public())
    return stores


def test_only_registered_keys_are_accepted(make_driver: MakeDriver, keys: dict[str, KeyStore]) -> None:
    (port,) = free_ports(1)
    url = f"zmq://127.0.0.1:{port}/"
    own = str(keys["api"].directory)
    make_driver(url, keys_dir=own, neighbor_topics=["cells"]).listen(TARGET, 1, None).start(echo)
    assert call(make_driver(url, keys_dir=own)) == {"a": 1}
    assert call(make_driver(f"{url}?peer=api", keys_dir=str(keys["east"].directory))) == {"a": 1}
    stranger = make_driver(f"{url}?peer=api", keys_dir=str(keys["west"].directory), connect_timeout=0.2)
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="handshake"):
        call(stranger, retry=0)
    plain = make_driver(f"{url}?tcp_security=none", connect_timeout=0.2)
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        call(plain, retry=0)
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="key add north"):
        call(make_driver(f"{url}?peer=north", keys_dir=str(keys["east"].directory)), retry=0)


def test_a_neighbor_reaches_only_the_messages_between_cells(make_driver: MakeDriver, keys: dict[str, KeyStore]) -> None:
    (port,) = free_ports(1)
    url = f"zmq://127.0.0.1:{port}/"
    server = make_driver(url, keys_dir=str(keys["api"].directory))
    between_cells = Target(topic=f"{server.conf.cells.rpc_driver_queue_base}.targeted", exchange="openstack")
    for target in (TARGET, between_cells):
        server.listen(target, 1, None).start(echo)
    neighbor = make_driver(f"{url}?peer=api", keys_dir=str(keys["east"].directory))
    assert neighbor.send(between_cells, {}, {"a": 1}, wait_for_reply=True, timeout=WAIT_SECONDS) == {"a": 1}
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="neighbor_topics"):
        call(neighbor, retry=0)


def test_longest_message_fits_over_a_secured_connection(make_driver: MakeDriver, keys: dict[str, KeyStore]) -> None:
    (port,) = free_ports(1)
    url = f"zmq://127.0.0.1:{port}/"
    options = {"keys_dir": str(keys["api"].directory), "max_message_bytes": 4096}
    make_driver(url, **options).listen(TARGET, 1, None).start(lambda messages: messages[0].reply(1))
    client = make_driver(url, **options)
    overhead = len(frames.encode({"context": {}, "message": {"a": ""}, "monitor_seconds": None}))
    assert call(client, {"a": "x" * (4096 - overhead)}) == 1
    with pytest.raises(oslo_messaging.MessageDeliveryFailure, match="4097 bytes"):
        call(client, {"a": "x" * (4097 - overhead)})
