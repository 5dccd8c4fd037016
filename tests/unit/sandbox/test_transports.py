"""The transports between the cells of a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from cells import exceptions
from cells.sandbox import transports, virtual_hosts
from cells.sandbox.layout import Layout
from cells.sandbox.state import State
from cells.sandbox.tree import parse
from cells.transport import url as transport_url
from tests.cases import each

RABBIT = "rabbit://u:s3kr3t@h:5673/?ssl=true"


def test_without_a_broker_each_cell_has_a_directory_of_sockets() -> None:
    layout = Layout(Path("/s p/a%2F"))
    transport = transports.transport_of(layout, State(parse("api(b)"), transports.BROKERLESS))
    assert transport.own_url("b") == "zmq:///"
    files = layout.cell("b")
    assert transport.options("b") == {
        "oslo_messaging_zmq": {"ipc_dir": files.sockets, "matchmaker_connection": f"sqlite:///{files.database}"}
    }
    url = transport_url.parse(transport.neighbor_url("b"))
    assert (url.transport, url.virtual_host) == ("zmq+ipc", "s p/a%2F/b/ipc")
    transport.create()
    transport.delete()


def test_without_a_broker_the_directory_has_to_be_short() -> None:
    state = State(parse("api"), transports.BROKERLESS)
    with pytest.raises(exceptions.SandboxError, match="--directory"):
        transports.transport_of(Layout(Path("/" + "x" * 100)), state).create()


def test_on_rabbitmq_each_cell_has_a_virtual_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(virtual_hosts, "check_reachable", asked.append)
    monkeypatch.setattr(virtual_hosts, "create", lambda names, username: asked.append((list(names), username)))
    monkeypatch.setattr(virtual_hosts, "delete", lambda names: asked.append(list(names)))
    state = State(parse("api(b)"), RABBIT, {"api": "one", "b": "two"})
    transport = transports.transport_of(Layout(Path("/s")), state)
    assert transport.own_url("b") == transport.neighbor_url("b") == "rabbit://u:s3kr3t@h:5673/two?ssl=true"
    assert transport.options("b") == {}
    transport.create()
    transport.delete()
    assert asked == [RABBIT, (["one", "two"], "u"), ["one", "two"]]


def test_names_of_virtual_hosts_are_unique_and_need_no_quoting() -> None:
    names = transports.names_of_virtual_hosts(RABBIT, ["api", 'a"b', "a'b"])
    assert names.keys() == {"api", 'a"b', "a'b"}
    assert len(set(names.values())) == 3
    assert all(name.isascii() and '"' not in name and "'" not in name for name in names.values())
    assert set(names.values()).isdisjoint(transports.names_of_virtual_hosts(RABBIT, ["api", 'a"b', "a'b"]).values())
    assert transports.names_of_virtual_hosts(transports.BROKERLESS, ["api"]) == {}


@each("url", ["zmq", "zmq:", "zmq:///", "zmq://"])
def test_no_broker_has_several_spellings(url: str) -> None:
    assert transports.normalize(url) == transports.BROKERLESS


def test_url_of_rabbitmq_stays_unchanged() -> None:
    assert transports.normalize(RABBIT) == RABBIT


@each(
    "url",
    ["", "rabbit", "rabbit://", "kafka://u:s3kr3t@h/", "zmq://u:s3kr3t@h:1/", "rabbit://u:s3kr3t%2F@h/", "fake:///"],
)
def test_unsupported_transport_is_refused(url: str) -> None:
    with pytest.raises(exceptions.SandboxError) as caught:
        transports.normalize(url)
    assert "s3kr3t" not in caught.value.message
