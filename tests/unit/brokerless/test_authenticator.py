"""Replies of the authenticator to ZAP requests.  test_curve tests the connections that result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from cells.brokerless.authenticator import NEIGHBOR, OWN_CELL, Authenticator
from cells.brokerless.keys import KeyStore
from tests.cases import each
from tests.unit.brokerless.serving import ended, on_thread

Ask = zmq.Socket[bytes]


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    store = KeyStore(tmp_path)
    store.create()
    return store


@pytest.fixture
def ask(store: KeyStore) -> Iterator[Ask]:
    """A socket connected to a running authenticator."""
    with zmq.Context() as context, context.socket(zmq.REQ) as ask:
        authenticator = Authenticator(context, store)
        authenticator.start()
        ask.linger = 0
        ask.rcvtimeo = 20_000
        ask.connect("inproc://zeromq.zap.01")
        yield ask
        authenticator.stop()


def request(
    key: bytes, *, domain: bytes = b"cells", mechanism: bytes = b"CURVE", address: bytes = b"::1"
) -> list[bytes]:
    return [b"1.0", b"7", domain, address, b"", mechanism, z85.decode(key)]


def status(ask: Ask, frames: list[bytes]) -> bytes:
    ask.send_multipart(frames)
    version, request_id, code, _text, _user, _metadata = ask.recv_multipart()
    assert version == b"1.0"
    assert request_id == (frames[1] if len(frames) > 1 else b"")
    return code


def test_a_peer_is_told_apart_by_its_key(ask: Ask, store: KeyStore) -> None:
    own, other = store.own_public(), zmq.curve_keypair()[0]
    store.add("east", other)
    store.add("itself", own)
    for key, user_id in ((own, OWN_CELL), (other, NEIGHBOR)):
        ask.send_multipart(request(key))
        assert ask.recv_multipart()[4].decode() == user_id


def test_own_key_and_registered_keys_are_accepted(ask: Ask, store: KeyStore) -> None:
    own, other = store.own_public(), zmq.curve_keypair()[0]
    assert status(ask, request(own)) == b"200"
    assert status(ask, request(other)) == b"400"
    store.add("east", other)
    assert status(ask, request(other)) == b"200"


@each("wrong", [{"domain": b""}, {"domain": b"x"}, {"mechanism": b"NULL"}, {"mechanism": b"PLAIN"}])
def test_other_domains_and_mechanisms_are_refused(ask: Ask, store: KeyStore, wrong: dict[str, bytes]) -> None:
    assert status(ask, request(store.own_public(), **wrong)) == b"400"


@each("length", range(1, 7))
def test_malformed_request_is_refused(ask: Ask, store: KeyStore, length: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    assert status(ask, request(store.own_public())[:length]) == b"500"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert status(ask, [*request(store.own_public())[:6], b"short"]) == b"500"
    assert status(ask, request(store.own_public())) == b"200"


@each(
    ("address", "shown"),
    [(b"::ffff:10.0.0.6", "at 10.0.0.6 was"), (b"fd00::6", "at fd00::6 was"), (b"\xff", "at \ufffd was")],
)
def test_refusal_has_a_readable_address(ask: Ask, address: bytes, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    assert status(ask, request(zmq.curve_keypair()[0], address=address)) == b"400"
    assert shown in caplog.text


def test_stop_after_failure(store: KeyStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: list[bytes]) -> list[bytes]:
        raise zmq.ZMQError(zmq.EFSM)

    with zmq.Context() as context, context.socket(zmq.REQ) as ask:
        ask.linger = 0
        authenticator = Authenticator(context, store)
        monkeypatch.setattr(authenticator, "_answer", fail)
        before = set(threading.enumerate())
        authenticator.start()
        (thread,) = [new for new in set(threading.enumerate()) - before if new.name == "zmq-authenticator"]
        ask.connect("inproc://zeromq.zap.01")
        ask.send(b"1.0")
        assert ended(thread)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert ended(on_thread(authenticator.stop))
