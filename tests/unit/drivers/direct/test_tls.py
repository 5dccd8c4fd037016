"""Handshakes, data and ends of connections between two channels, without sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from pathlib import Path

import pytest

from cells.certificates import issuing
from cells.drivers.direct.tls import Channel
from cells.drivers.direct.tls_error import TLSError
from cells.drivers.direct.trust import PROTOCOL, Trust
from tests.cases import each
from tests.unit.certificates.made import DAY, NOW, authority
from tests.unit.drivers.direct.identities import Cell, connected, exchange


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def east(directory: Path) -> Cell:
    return Cell(directory, "api!east")


@pytest.fixture(scope="module")
def west(directory: Path) -> Cell:
    return Cell(directory, "api!west")


@pytest.fixture
def pair(east: Cell, west: Cell) -> tuple[Channel, Channel]:
    """The end of west, which has opened the connection, and the end of east."""
    return connected(west.trusting(east), "east", east.trusting(west))


def refusal(dialing: Trust, neighbor: str, listening: Trust) -> tuple[str | None, str | None]:
    """Return the reasons for which the dialing and the listening side refuse the connection."""
    client, server = Channel(dialing, neighbor), Channel(listening)
    reasons: dict[Channel, str | None] = {client: None, server: None}
    for _ in range(3):
        for here, there in ((client, server), (server, client)):
            if reasons[there] is None:
                try:
                    there.feed(here.ciphertext_to_send())
                except TLSError as error:
                    reasons[there] = error.reason
    assert any(reasons.values())
    return reasons[client], reasons[server]


# Handshakes


def test_both_sides_know_each_other_after_the_handshake(pair: tuple[Channel, Channel]) -> None:
    assert [side.neighbor for side in pair] == ["east", "west"]


def test_neighbor_is_unknown_before_the_end_of_the_handshake(east: Cell, west: Cell) -> None:
    client, server = Channel(west.trusting(east), "east"), Channel(east.trusting(west))
    server.feed(client.ciphertext_to_send())
    assert client.neighbor is server.neighbor is None
    with pytest.raises(RuntimeError):
        server.write(b"early")


def test_handshake_and_data_in_single_bytes(east: Cell, west: Cell) -> None:
    client, server = Channel(west.trusting(east), "east"), Channel(east.trusting(west))
    received = []
    for round_trip in range(3):
        if round_trip == 2:
            client.write(b"hello")
        for here, there in ((client, server), (server, client)):
            for byte in here.ciphertext_to_send():
                received += there.feed(bytes([byte]))
    assert [client.neighbor, server.neighbor] == ["east", "west"]
    assert b"".join(received) == b"hello"


def test_either_certificate_is_accepted_during_a_rotation(east: Cell, west: Cell, directory: Path) -> None:
    renewed = Cell(directory, "api!west")
    listening = east.trusting(west, renewed)
    for dialing in (west, renewed):
        assert connected(dialing.trusting(east), "east", listening)[1].neighbor == "west"


def test_no_session_is_resumed(east: Cell, west: Cell) -> None:
    # A ticket would arrive in the first bytes after the handshake.
    client, server = Channel(west.trusting(east), "east"), Channel(east.trusting(west))
    server.feed(client.ciphertext_to_send())
    client.feed(server.ciphertext_to_send())
    server.feed(client.ciphertext_to_send())
    assert server.neighbor == "west"
    assert server.ciphertext_to_send() == b""


def test_unknown_certificate_of_the_dialing_side(east: Cell, west: Cell, directory: Path) -> None:
    # The same name, and another key.
    foreign = Cell(directory, "api!west")
    assert refusal(foreign.trusting(east), "east", east.trusting(west)) == ("refused_by_peer", "unknown_certificate")


def test_unknown_certificate_of_the_listening_side(east: Cell, west: Cell, directory: Path) -> None:
    foreign = Cell(directory, "api!east")
    assert refusal(west.trusting(east), "east", foreign.trusting(west)) == ("unknown_certificate", "refused_by_peer")


def test_cell_without_neighbors_accepts_no_connection(east: Cell, west: Cell) -> None:
    assert refusal(west.trusting(east), "east", east.trusting())[1] == "unknown_certificate"


@pytest.mark.parametrize(("days", "reason"), [(-11, "expired"), (2, "not_yet_valid")])
def test_registered_certificate_outside_its_dates(east: Cell, directory: Path, days: int, reason: str) -> None:
    west = Cell(directory, "api!west", now=NOW + days * DAY)
    assert refusal(west.trusting(east), "east", east.trusting(west)) == ("refused_by_peer", reason)
    assert refusal(east.trusting(west), "west", west.trusting(east)) == (reason, "refused_by_peer")


def test_address_of_another_neighbor(east: Cell, west: Cell, directory: Path) -> None:
    north = Cell(directory, "api!north")
    dialing = north.trusting(east, west)
    assert refusal(dialing, "west", east.trusting(north))[0] == "other_neighbor"


def test_registered_certificate_admits_no_certificate_that_it_signed(east: Cell, west: Cell, directory: Path) -> None:
    # West signs, with the key of its registered certificate, as an authority does.
    false_authority = issuing.Authority(dataclasses.replace(west.certificate, is_authority=True), west.key)
    foreign = Cell(directory, "api!west", signed_by=false_authority)
    listening = east.trusting(west)
    assert refusal(foreign.trusting(east), "east", listening) == ("refused_by_peer", "signed_by_a_cell")
    with pytest.raises(TLSError) as raised:
        listening.neighbor_of(foreign.certificate.der)
    assert raised.value.reason == "unknown_certificate"


def test_one_certificate_of_two_neighbors(east: Cell, west: Cell) -> None:
    listening = Trust(east.certificate_file, east.key_file, {"west": [west.certificate], "north": [west.certificate]})
    assert refusal(west.trusting(east), "east", listening)[1] == "shared_certificate"


# Certificates that an authority signed


def test_authority_vouches_for_the_cell_that_the_certificate_names(east: Cell, directory: Path) -> None:
    ca = authority()
    west = Cell(directory, "api!west", signed_by=ca)
    north = Cell(directory, "api!north", signed_by=ca)
    listening = east.trusting(authorities=[ca.certificate], issued=[west, north])
    for dialing in (west, north):
        assert connected(dialing.trusting(east), "east", listening)[1].neighbor == dialing.name


def test_certificate_of_the_authority_for_a_cell_that_is_no_neighbor(east: Cell, west: Cell, directory: Path) -> None:
    ca = authority()
    south = Cell(directory, "api!south", signed_by=ca)
    listening = east.trusting(authorities=[ca.certificate], issued=[west])
    assert refusal(south.trusting(east), "east", listening)[1] == "wrong_name"


def test_other_authority_of_the_same_name(east: Cell, directory: Path) -> None:
    west = Cell(directory, "api!west", signed_by=authority())
    listening = east.trusting(authorities=[authority().certificate], issued=[west])
    assert refusal(west.trusting(east), "east", listening)[1] == "unknown_certificate"


def test_name_in_a_certificate_counts_only_if_an_authority_signed_it(east: Cell, west: Cell, directory: Path) -> None:
    # Registered for north, it names the path of west.
    other = Cell(directory, "api!west")
    trust = Trust(
        east.certificate_file,
        east.key_file,
        {"north": [other.certificate]},
        [authority().certificate],
        {"west": str(west.path)},
    )
    channel = connected(other.trusting(east), "east", trust)[1]
    assert channel.neighbor == "north"
    # The registration of north ends: the connection must not become one of west.
    with pytest.raises(TLSError):
        channel.check(east.trusting(authorities=[authority().certificate], issued=[west]))


def test_registered_certificate_may_be_signed_by_an_authority_that_is_not_trusted(east: Cell, directory: Path) -> None:
    west = Cell(directory, "api!west", signed_by=authority())
    assert connected(west.trusting(east), "east", east.trusting(west))[1].neighbor == "west"


# Peers that are no direct links


def refusal_of(channel: Channel, peer: ssl.SSLContext, *, server: bool = False) -> str | None:
    """Return the reason for which ``channel`` refuses a peer with any settings of TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = peer.wrap_bio(incoming, outgoing, server_side=server)
    for _ in range(4):
        incoming.write(channel.ciphertext_to_send())
        with contextlib.suppress(ssl.SSLError):
            tls.do_handshake()
        try:
            channel.feed(outgoing.read())
        except TLSError as error:
            return error.reason
    return None


def context(of: Cell, *, server: bool = False) -> ssl.SSLContext:
    """Return the settings of a peer that has the right certificate, and accepts every one."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    found.set_alpn_protocols([PROTOCOL])
    found.load_cert_chain(of.certificate_file, of.key_file)
    return found


def test_peer_without_tls_1_3(east: Cell, west: Cell) -> None:
    for server in (False, True):
        old = context(west, server=server)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        channel = Channel(east.trusting(west), "west" if server else None)
        assert refusal_of(channel, old, server=server) == "old_version"


def test_peer_without_a_certificate(east: Cell, west: Cell) -> None:
    nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nameless.check_hostname = False
    nameless.verify_mode = ssl.CERT_NONE
    nameless.set_alpn_protocols([PROTOCOL])
    assert refusal_of(Channel(east.trusting(west)), nameless) == "no_certificate"


def test_peer_that_speaks_another_protocol_inside(east: Cell, west: Cell) -> None:
    for server in (False, True):
        other = context(west, server=server)
        other.set_alpn_protocols(["http/1.1"])
        channel = Channel(east.trusting(west), "west" if server else None)
        assert refusal_of(channel, other, server=server) == "other_protocol"


@each(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x00\x09\x01", b"\0" * 1000, b"\x16\x03\x01\xff\xff" + b"x" * 66_000],
)
def test_bytes_that_are_no_handshake(east: Cell, west: Cell, garbage: bytes) -> None:
    for channel in (Channel(east.trusting(west)), Channel(east.trusting(west), "west")):
        with pytest.raises(TLSError) as raised:
            channel.feed(garbage)
        assert raised.value.reason == "no_tls"


def test_recorded_handshake_is_worth_nothing(east: Cell, west: Cell) -> None:
    client, server = Channel(west.trusting(east), "east"), Channel(east.trusting(west))
    recorded = [client.ciphertext_to_send()]
    server.feed(recorded[0])
    client.feed(server.ciphertext_to_send())
    recorded.append(client.ciphertext_to_send())
    server.feed(recorded[1])
    assert server.neighbor == "west"

    again = Channel(east.trusting(west))
    again.feed(recorded[0])
    with pytest.raises(TLSError):
        again.feed(recorded[1])
    assert again.neighbor is None


# Data


def test_data_in_both_directions(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"to east")
    east.write(bytearray(b"to west, "))
    east.write(memoryview(b"twice"))
    to_west, to_east = exchange(west, east)
    assert b"".join(to_west) == b"to west, twice"
    assert b"".join(to_east) == b"to east"


def test_nothing_and_much(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    text = bytes(range(256)) * 10_000
    west.write(b"")
    assert west.ciphertext_to_send() == b""
    west.write(text)
    assert b"".join(exchange(west, east)[1]) == text


def test_changed_bytes_break_the_connection(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"to east")
    changed = bytearray(west.ciphertext_to_send())
    changed[-1] ^= 1
    with pytest.raises(TLSError) as raised:
        east.feed(bytes(changed))
    assert raised.value.reason == "broken"


def test_repeated_bytes_break_the_connection(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"to east")
    sent = west.ciphertext_to_send()
    assert east.feed(sent) == [b"to east"]
    with pytest.raises(TLSError):
        east.feed(sent)


# Ends


def test_orderly_end(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"last")
    west.close()
    assert east.feed(west.ciphertext_to_send() + b"bytes after the end") == [b"last"]
    assert east.is_closed
    east.end()
    assert east.feed(b"more bytes after the end") == []
    with pytest.raises(RuntimeError):
        east.write(b"too late")
    east.close()


def test_end_in_order_beside_unread_bytes(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"crossing")
    east.close()
    assert west.feed(east.ciphertext_to_send()) == []
    assert west.is_closed
    assert east.feed(west.ciphertext_to_send()) == []


def test_abrupt_end(pair: tuple[Channel, Channel]) -> None:
    west, east = pair
    west.write(b"to east")
    assert east.feed(west.ciphertext_to_send()[:-1]) == []
    with pytest.raises(TLSError) as raised:
        east.end()
    assert raised.value.reason == "broken"


def test_end_within_the_handshake(east: Cell, west: Cell) -> None:
    client, server = Channel(west.trusting(east), "east"), Channel(east.trusting(west))
    hello = client.ciphertext_to_send()
    assert server.feed(hello[: len(hello) // 2]) == []
    for side in (client, server):
        with pytest.raises(TLSError) as raised:
            side.end()
        assert raised.value.reason == "broken"
        side.close()


def test_orderly_end_within_the_handshake(east: Cell, west: Cell) -> None:
    close_notify = bytes([21, 3, 3, 0, 2, 1, 0])
    with pytest.raises(TLSError) as raised:
        Channel(east.trusting(west)).feed(close_notify)
    assert raised.value.reason in {"broken", "no_tls"}


def test_removed_certificate_ends_an_open_connection(
    pair: tuple[Channel, Channel], east: Cell, west: Cell, directory: Path
) -> None:
    renewed = Cell(directory, "api!west")
    channel = pair[1]
    channel.check(east.trusting(west, renewed))
    assert channel.neighbor == "west"
    with pytest.raises(TLSError) as raised:
        channel.check(east.trusting(renewed))
    assert raised.value.reason == "unknown_certificate"


def test_certificate_that_moves_to_another_neighbor_ends_an_open_connection(
    pair: tuple[Channel, Channel], east: Cell, west: Cell
) -> None:
    with pytest.raises(TLSError) as raised:
        pair[1].check(Trust(east.certificate_file, east.key_file, {"north": [west.certificate]}))
    assert raised.value.reason == "other_neighbor"
