"""Login to the own broker: each reason for which it fails is named, with the option to change."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from cells import conf as cells_conf
from cells.transport import own_broker
from cells.transport.opening import register_options
from cells.transport.rabbitmq import BrokerUnusableError
from tests.cases import each

SECRET = "s3kr3t"  # of no user
#: the protocol header with which a broker answers one that it does not speak
AMQP = b"AMQP\x00\x00\x09\x01"
#: a fatal alert of TLS, with which a TLS server answers bytes that are no handshake
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


def method(class_id: int, method_id: int, arguments: bytes) -> bytes:
    """Return a frame of AMQP with a method of the connection."""
    payload = struct.pack(">HH", class_id, method_id) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


REFUSED = b"ACCESS_REFUSED - Login was refused"
#: Connection.Start, and Connection.Close as the answer to the login
REFUSAL = (
    method(10, 10, b"\0\x09" + struct.pack(">II", 0, 8) + b"AMQPLAIN" + struct.pack(">I", 5) + b"en_US"),
    method(10, 50, struct.pack(">HB", 403, len(REFUSED)) + REFUSED + struct.pack(">HH", 0, 0)),
)


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Serve one address: each connection gets each of the answers after the bytes that it sends, and is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:  # closed
                    return
                with accepted, contextlib.suppress(OSError):
                    accepted.settimeout(own_broker.CHECK_SECONDS)
                    for answer in answers:
                        accepted.recv(1024)
                        accepted.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def check(*addresses: str, query: str = "") -> None:
    conf = cells_conf.load([])
    register_options(conf)
    hosts = ",".join(f"user:{SECRET}@{address}" for address in addresses)
    conf.set_override("transport_url", f"rabbit://{hosts}/v{query}")
    own_broker.check(conf)


@each(
    ("answer", "query", "option"),
    [
        (TLS_ALERT, "", "ssl = true"),
        (AMQP, "?ssl=true", "[oslo_messaging_rabbit]"),
        (b"", "", "127.0.0.1"),
    ],
)
def test_a_broker_that_does_not_answer_as_expected_is_named(answer: bytes, query: str, option: str) -> None:
    with answering(answer) as address, pytest.raises(BrokerUnusableError) as caught:
        check(address, query=query)
    text = str(caught.value)
    assert option in text
    assert address in text
    assert SECRET not in text
    assert "\n" not in text


def test_each_host_is_named() -> None:
    with answering(TLS_ALERT) as first, answering(TLS_ALERT) as second, pytest.raises(BrokerUnusableError) as caught:
        check(first, second)
    assert f"{first}: " in str(caught.value)
    assert f"{second}: " in str(caught.value)


def test_a_refused_login_names_the_option_of_its_url() -> None:
    with answering(*REFUSAL) as address, pytest.raises(BrokerUnusableError, match=r"\[DEFAULT\] transport_url"):
        check(address)


@each("answers", [(b"",), REFUSAL])
def test_the_broker_of_the_mailbox_is_checked(answers: tuple[bytes, ...]) -> None:
    conf = cells_conf.load([])
    register_options(conf)
    conf.set_override("transport_url", "fake://")
    with answering(*answers) as address:
        conf.set_override("mailbox_url", f"rabbit://user:{SECRET}@{address}/v", group="cells")
        with pytest.raises(BrokerUnusableError) as caught:
            own_broker.check(conf)
    text = str(caught.value)
    assert "[cells] mailbox_url" in text
    assert "transport_url" not in text
    assert address in text
    assert SECRET not in text


def test_other_transports_are_not_checked() -> None:
    conf = cells_conf.load([])
    register_options(conf)
    conf.set_override("transport_url", "fake://")
    own_broker.check(conf)
