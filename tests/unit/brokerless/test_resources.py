"""Resources that the transports of a process share, and their release."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.brokerless import frames, router_socket
from cells.brokerless import resources as module
from cells.brokerless.inbox import PolledInbox
from cells.brokerless.matchmaker import MatchMakerBase
from cells.brokerless.resources import Resources
from cells.brokerless.server import Delivery
from tests.unit.brokerless.serving import WAIT_SECONDS, Connect, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

KEY = "openstack~cells"
Make = Callable[..., Resources]


class Registry(MatchMakerBase):
    """Records the calls of its methods."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.is_unregistering = threading.Event()
        self.may_unregister = threading.Event()
        self.may_unregister.set()

    def register(self, key: str, host: str) -> None:
        self.log.append(f"+{key} {host}")

    def unregister(self, key: str, host: str) -> None:
        self.is_unregistering.set()
        assert self.may_unregister.wait(WAIT_SECONDS)
        self.log.append(f"-{key} {host}")

    def start_heartbeat(self) -> None:
        self.log.append("start")

    def stop_heartbeat(self) -> None:
        self.log.append("stop")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The MatchMaker that is loaded, independent of the options."""
    registry = Registry()
    monkeypatch.setattr(module.registry, "load", lambda _conf: registry)
    return registry


@pytest.fixture
def conf(sockets: Path) -> cfg.ConfigOpts:
    conf = cells_conf.load([])
    for name, value in {"ipc_dir": str(sockets), "matchmaker": "stub", "delivery_timeout": 0.2}.items():
        conf.set_override(name, value, group="oslo_messaging_zmq")
    return conf


@pytest.fixture
def make_resources(conf: cfg.ConfigOpts, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Resources] = []

    def make(url: str = "zmq:///", **options: Any) -> Resources:
        for name, value in options.items():
            conf.set_override(name, value, group="oslo_messaging_zmq")
        made.append(Resources(conf, oslo_messaging.TransportURL.parse(conf, url)))
        return made[-1]

    yield make
    monkeypatch.setattr(router_socket, "READ_SECONDS", 0.0)
    for one in made:
        assert ended(on_thread(one.close))
    assert module._BOUND_SERVERS._entries == {}
    assert module._MATCHMAKERS._entries == {}


def inbox() -> PolledInbox[Delivery]:
    return PolledInbox(10, 10_000)


def test_unused_resources_open_nothing(make_resources: Make, sockets: Path, registry: Registry) -> None:
    for url in ("zmq:///", f"zmq+ipc://{sockets}/none", "zmq://192.0.2.1:5570/"):
        resources = make_resources(url)
        resources.close()
        resources.close()
    assert list(sockets.iterdir()) == []
    assert registry.log == []


def test_server_is_registered_and_withdrawn(make_resources: Make, sockets: Path, registry: Registry) -> None:
    stop = make_resources().serve([KEY, f"{KEY}.one"], inbox(), "audit")
    (path,) = sockets.iterdir()
    host = f"ipc://{path}@audit"
    assert registry.log == ["start", f"+{KEY} {host}", f"+{KEY}.one {host}"]
    stop()
    stop()
    assert registry.log[3:] == [f"-{KEY} {host}", f"-{KEY}.one {host}"]


def test_transports_share_one_socket_and_one_registry(make_resources: Make, sockets: Path, registry: Registry) -> None:
    first, second = make_resources(), make_resources()
    stops = [resources.serve([KEY], inbox(), "") for resources in (first, second)]
    assert first.bound_server() is second.bound_server()
    assert len(list(sockets.iterdir())) == 1
    # Only the first and the last listener of a key change the registration.
    stops[0]()
    first.close()
    assert [entry[0] for entry in registry.log if entry[0] in "+-"] == ["+"]
    assert "stop" not in registry.log
    stops[1]()
    assert registry.log[-1][0] == "-"
    second.close()
    assert registry.log[-1] == "stop"
    assert list(sockets.iterdir()) == []


def test_other_transports_go_on_after_one_is_closed(make_resources: Make, connect: Connect, registry: Registry) -> None:
    first, second = make_resources(), make_resources()
    stop = first.serve([KEY], inbox(), "")
    second.serve([f"{KEY}.other"], inbox(), "")
    first.close()
    (endpoint,) = second.bound_server().address.endpoints
    assert registry.log[-1] == f"-{KEY} {endpoint}"
    client = connect(endpoint)
    assert client.ask(KEY, kind=frames.CAST)[0] == frames.REFUSED
    assert client.ask(f"{KEY}.other", kind=frames.CAST)[0] == frames.ACCEPTED
    stop()
    assert registry.log[-1] == f"-{KEY} {endpoint}"


def test_stopped_server_is_released(make_resources: Make) -> None:
    resources = make_resources()
    resources.serve([KEY], inbox(), "")()
    before = len(resources._releases)
    resources.serve([KEY], inbox(), "")()
    assert len(resources._releases) == before


def test_server_that_starts_while_the_last_one_stops_stays_registered(make_resources: Make, registry: Registry) -> None:
    first, second = make_resources(), make_resources()
    stop = first.serve([KEY], inbox(), "")
    registry.may_unregister.clear()
    stopping = on_thread(stop)
    assert registry.is_unregistering.wait(WAIT_SECONDS)
    starting = on_thread(lambda: second.serve([KEY], inbox(), ""))
    assert not ended(starting, 0.02)
    registry.may_unregister.set()
    assert ended(stopping)
    assert ended(starting)
    assert [entry[0] for entry in registry.log if entry[0] in "+-"] == ["+", "-", "+"]


def test_two_transports_share_one_port_until_both_are_closed(make_resources: Make, connect: Connect) -> None:
    (port,) = free_ports(1)
    url = f"zmq://127.0.0.1:{port}/"
    first, second = (make_resources(url, tcp_security="none") for _ in range(2))
    inboxes = [inbox(), inbox()]
    first.serve([KEY], inboxes[0], "")
    second.serve([KEY], inboxes[1], "")
    client = connect(f"tcp://127.0.0.1:{port}")
    for _ in range(2):
        client.request(KEY)
    poll(lambda: [len(one) for one in inboxes] == [1, 1], "each inbox gets a message")
    first.close()
    client.request(KEY)
    poll(lambda: sum(map(len, inboxes)) == 3, "the second transport serves")
    second.close()
    third = make_resources(url)
    assert third.bound_server().address.endpoints == (f"tcp://127.0.0.1:{port}",)


def test_release_after_a_change_of_the_options(make_resources: Make, conf: cfg.ConfigOpts, registry: Registry) -> None:
    resources = make_resources()
    resources.serve([KEY], inbox(), "")
    conf.set_override("matchmaker_connection", "sqlite:///other", group="oslo_messaging_zmq")
    conf.set_override("max_message_bytes", 4096, group="oslo_messaging_zmq")
    resources.close()
    assert registry.log[-1] == "stop"


def test_registrations_end_before_the_socket_closes(make_resources: Make, sockets: Path, registry: Registry) -> None:
    resources, present = make_resources(), []
    resources.serve([KEY], inbox(), "")
    registry.stop_heartbeat = lambda: present.extend(sockets.iterdir())  # type: ignore[method-assign]
    resources.close()
    assert len(present) == 1
    assert list(sockets.iterdir()) == []


def test_closed_resources_open_nothing(make_resources: Make, sockets: Path) -> None:
    resources = make_resources()
    sender = resources.sender()
    assert resources.sender() is sender
    resources.close()
    for use in (resources.sender, resources.backlog, resources.bound_server, resources.matchmaker):
        with pytest.raises(oslo_messaging.MessageDeliveryFailure):
            use()
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        resources.serve([KEY], inbox(), "")
    assert list(sockets.iterdir()) == []


@pytest.mark.parametrize("bind", ["*:5570", "nonsense"])
def test_wrong_bind_is_a_configuration_error(make_resources: Make, bind: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="bind"):
        make_resources(bind=bind).bound_server()


def test_registries_of_one_process_have_separate_servers(make_resources: Make, sockets: Path) -> None:
    one = make_resources(matchmaker_connection="sqlite:///one").bound_server()
    two = make_resources(matchmaker_connection="sqlite:///two").bound_server()
    assert one is not two
    assert len(list(sockets.iterdir())) == 2


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("matchmaker", ["sql", "stub"])
def test_a_registered_loopback_address_is_logged_once(
    make_resources: Make, matchmaker: str, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    for _ in range(2):
        make_resources(matchmaker=matchmaker, bind=f"127.0.0.1:{port}", tcp_security="none").bound_server()
    assert [record.levelname for record in caplog.records] == (["WARNING"] if matchmaker == "sql" else [])
