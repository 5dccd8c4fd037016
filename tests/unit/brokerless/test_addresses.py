"""Addresses of processes: to text for the MatchMaker and back."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from cells import exceptions
from cells.brokerless import addresses
from cells.brokerless.addresses import Address
from tests.cases import each

TCP = "tcp://10.0.0.5:5570"


@each(
    ("address", "text"),
    [
        (Address((TCP,)), TCP),
        (Address((TCP,), "audit"), f"{TCP}@audit"),
        (Address(("ipc:///run/cells/3f.sock", TCP)), f"ipc:///run/cells/3f.sock,{TCP}"),
        (Address(("tcp://[fd00::5]:5570",), "a"), "tcp://[fd00::5]:5570@a"),
    ],
)
def test_text_is_readable(address: Address, text: str) -> None:
    assert str(address) == text
    assert addresses.parse(text) == address


@each("directory", ["/run/cells@east", "/run/a,b", "/run/50%40", "/run/Süd ost", "/run/#?&"])
@each("pool", ["", "audit", "a@b", "a,b", "%40", "Größe"])
def test_special_characters_survive_the_round_trip(directory: str, pool: str) -> None:
    address = Address((f"ipc://{directory}/3f.sock", TCP), pool)
    assert addresses.parse(str(address)) == address
    # "://" distinguishes an address from a host name.
    assert "://" in str(address)


def test_process_is_equal_for_all_pools() -> None:
    assert Address((TCP,), "a").process == Address((TCP,), "b").process == Address((TCP,)).process
    assert Address((TCP,)).process != Address((TCP, TCP)).process


def test_local_socket_is_preferred_to_a_port() -> None:
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
        path = Path(directory) / "a.sock"
        address = Address((f"ipc://{path}", TCP))
        assert address.nearest() == TCP
        server.bind(str(path))
        assert address.nearest() == f"ipc://{path}"
        assert Address((TCP, f"ipc://{path}")).nearest() == TCP


def test_remote_process_without_a_port_cannot_be_reached() -> None:
    assert Address(("ipc:///nowhere/a.sock",)).nearest() is None


def test_path_that_cannot_be_read_is_skipped() -> None:
    too_long = f"ipc:///{'x' * 300}/a.sock"
    assert Address((too_long,)).nearest() is None
    assert Address((too_long, TCP)).nearest() == TCP


@each(("hostname", "port"), [("10.0.0.5", 1), ("fd00::5", 65535), ("host.example.org", 5570)])
def test_port_round_trip(hostname: str, port: int) -> None:
    assert addresses.split_tcp(addresses.tcp(hostname, port)) == (hostname, port)


@each(
    ("text", "endpoint"),
    [
        ("10.0.0.5:5570", "tcp://10.0.0.5:5570"),
        ("tcp://10.0.0.5:5570", "tcp://10.0.0.5:5570"),
        ("[fd00::5]:5570", "tcp://[fd00::5]:5570"),
        ("node-1:65535", "tcp://node-1:65535"),
    ],
)
def test_bind_becomes_an_endpoint(text: str, endpoint: str) -> None:
    assert addresses.read_bind(text) == endpoint


@each("text", ["", "10.0.0.5", ":5570", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:65536", "a:1x", "a:²"])
def test_bind_without_host_or_port_is_refused(text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        addresses.read_bind(text)


@each("text", ["*:5570", "0.0.0.0:5570", "[::]:5570", "tcp://*:5570"])
def test_wildcard_bind_is_refused(text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="wildcard"):
        addresses.read_bind(text)


@each(
    ("hostname", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.1.1", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("fd00::5", False),
    ],
)
def test_addresses_at_which_a_host_reaches_only_itself(hostname: str, is_loopback: bool) -> None:
    assert addresses.is_loopback(addresses.tcp(hostname, 5570)) is is_loopback
