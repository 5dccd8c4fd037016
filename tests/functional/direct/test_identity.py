"""Who may connect: certificates, their removal, and peers that are no managers."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from cells import exceptions
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.node_settings import Peer
from tests.functional.direct.conftest import Start
from tests.functional.direct.nodes import Manager
from tests.unit.drivers.direct.identities import Cell
from tools.polling import poll


@pytest.fixture(scope="module")
def mallory(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    """A cell that calls itself east, and has another certificate."""
    return Cell(Path(tmp_path_factory.mktemp("mallory")), "api!east")


def test_a_foreign_certificate_is_refused(start: Start, api: Cell, east: Cell, mallory: Cell) -> None:
    parent, attacker = start(api), start(mallory, listen=())
    parent.knows(east)
    attacker.knows(api, parent.address)
    poll(lambda: parent.counts("direct_refused").get("unknown_certificate", 0) >= 2, "two refused attempts")
    assert parent.hosts(east) == attacker.hosts(api) == ()


def test_a_manager_that_names_another_cell_is_refused(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east, listen=())
    parent.node.configure([Peer("west", (east.certificate,))])
    child.knows(api, parent.address)
    poll(lambda: parent.counts("direct_refused").get("PeerRefused"), "a refused hello")
    assert parent.node.hosts("west") == ()


def test_removal_of_a_certificate_ends_its_connections(start: Start, api: Cell, east: Cell, mallory: Cell) -> None:
    parent, child = start(api), start(east, listen=())
    parent.knows(east)
    child.knows(api, parent.address)
    parent.wait_for(east)
    parent.node.configure([Peer("east", (east.certificate, mallory.certificate))])
    assert parent.hosts(east) == ("host-east",)
    parent.knows(mallory)
    assert parent.hosts(east) == ()
    poll(lambda: child.state(api) == "reconnecting", "the end of the connection")
    poll(lambda: parent.counts("direct_refused").get("unknown_certificate"), "a refused attempt")
    parent.knows(east)
    child.wait_for(api)


def test_removal_of_a_neighbor_ends_its_connections(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api), start(east)
    parent.knows(east, child.address)
    child.knows(api)
    child.wait_for(api)
    parent.node.configure([])
    assert parent.node.status("east") is None
    poll(lambda: child.state(api) == "reconnecting", "the end of the connection")


def test_silent_and_garbage_connections_stop_nobody(start: Start, api: Cell, east: Cell) -> None:
    parent, child = start(api, max_handshakes=8), start(east, listen=())
    parent.knows(east)
    host, _, port = parent.address.rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(12)]
    try:
        for number in range(300):
            with socket.create_connection((host, int(port))) as garbage:
                garbage.sendall(bytes([number % 256]) * 100)
        child.knows(api, parent.address)
        child.wait_for(api)
        poll(lambda: parent.counts("direct_refused").get("no_tls"), "refused garbage")
    finally:
        for one in idle:
            one.close()


def test_silence_after_the_handshake_ends_in_time(
    start: Start, api: Cell, east: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cells.drivers.direct.connection.HANDSHAKE_SECONDS", 0.1)
    parent = start(api)
    parent.knows(east)
    with _handshake(parent, east), socket.create_connection(_pair(parent)):
        poll(lambda: parent.counts("direct_refused").get("HelloTimeout") == 2, "the end of both connections")


def test_garbage_of_a_neighbor_ends_its_connection(start: Start, api: Cell, east: Cell) -> None:
    parent = start(api)
    parent.knows(east)
    with _handshake(parent, east) as attacker:
        attacker.sendall(Hello(cell="east", host="h", incarnation="i" * 16, version="1.9").encode() + b"\xff" * 50)
        poll(lambda: parent.counts("direct_refused").get("FrameTooLong"), "the end of the connection")


def _pair(manager: Manager) -> tuple[str, int]:
    host, _, port = manager.address.rpartition(":")
    return host, int(port)


def _handshake(manager: Manager, cell: Cell) -> ssl.SSLSocket:
    """Return a TLS connection with the certificate of ``cell``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["cells/1"])
    context.load_cert_chain(cell.certificate_file, cell.key_file)
    return context.wrap_socket(socket.create_connection(_pair(manager)))


def test_a_port_in_use_is_a_named_error(api: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in (f"127.0.0.1:{taken.getsockname()[1]}", "no such name.invalid:1", "5680", "::1"):
            with pytest.raises(exceptions.ConfigurationError):
                Manager(api, listen=(address,))
