"""Opening of transports: every URL of a neighbor works, and no error contains a password."""

from __future__ import annotations

import itertools

import amqp  # type: ignore[import-untyped]  # it has none
import kombu.exceptions
import oslo_messaging
import pytest

from cells import conf, exceptions
from cells.transport.errors import causes, may_arrive
from cells.transport.opening import open_transport
from tests.cases import each


@each(
    "url",
    [
        *(None, "fake://", "rabbit://u:p@h0:5672,u:p@[::1]:5673/v"),
        "rabbit://u:p%40%3A%23%25@h/%2F?heartbeat_timeout_threshold=5",
    ],
)
def test_opens_without_io(url: str | None) -> None:
    transport = open_transport(conf.load([]), url)
    transport.cleanup()


@each(
    ("url", "text"),
    [
        *((f"rabbit://{login}@h/v", "password with a '/'") for login in ("user:s3k%2Fr3t", "us%2Fs3k:p")),
        ("pigeon://user:s3kr3t@h/v", "driver must be installed"),
        ("rabbit://user:s3kr3t@h:no/v", "port is not a number"),
        ("rabbit://user:s3kr3t@h/v?heartbeat_timeout_threshold=x", "must look like"),
        ("zmq://h:5570/?connect_timeout=never", "float: .never"),
        ("zmq://h:5570/?tcp_security=tls", "tls"),
        ("zmq:///?matchmaker_connection=redis://:s3kr3t@h/&max_connections=0", "greater than or equal to 1"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=text) as caught:
        open_transport(conf.load([]), url)
    assert "s3k" not in caught.value.message


def raised_after(*attempts: Exception) -> Exception:
    """Return the error that oslo.messaging raises after failed attempts, the last one first."""
    chain: list[Exception] = [oslo_messaging.MessageDeliveryFailure("away"), kombu.exceptions.OperationalError("away")]
    chain += attempts
    for error, earlier in itertools.pairwise(chain):
        error.__context__ = earlier
    return chain[0]


@pytest.mark.parametrize("attribute", ["__cause__", "__context__"])
def test_a_circle_of_errors_ends(attribute: str) -> None:
    first, second = ConnectionRefusedError(111, "Connection refused"), kombu.exceptions.OperationalError("away")
    setattr(first, attribute, second)
    setattr(second, attribute, first)
    assert list(causes(second)) == [second, first]
    assert not may_arrive(second)
    setattr(first, attribute, first)
    assert list(causes(second)) == [second, first]


@each(
    "lost",
    [
        *(TimeoutError("timed out"), ConnectionResetError(104, "Connection reset by peer")),
        *(BrokenPipeError(32, "Broken pipe"), oslo_messaging.MessagingTimeout("no confirmation")),
        OSError("Server unexpectedly closed connection"),
        amqp.ConnectionForced("broker is shutting down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_may_arrive_if_its_first_attempt_was_cut_off(lost: Exception) -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    assert may_arrive(lost)
    assert may_arrive(raised_after(lost))
    assert may_arrive(raised_after(refused, lost))


@each(
    "error",
    [
        *(ConnectionRefusedError(111, "Connection refused"), OSError(113, "No route to host")),
        amqp.AccessRefused("login refused"),
        oslo_messaging.MessageUndeliverable(None, "openstack", "inventory", None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_that_was_never_sent_does_not_arrive(error: Exception) -> None:
    assert not may_arrive(error)
    assert not may_arrive(raised_after(error))
