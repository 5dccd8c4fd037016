"""Transports: opened for any URL that can be registered, and refused without a word of the password."""

from __future__ import annotations

import pytest

from cells import conf, exceptions
from cells.drivers.transport import open_transport


@pytest.mark.parametrize(
    "url",
    [
        None,
        "fake://",
        "rabbit://u:p@h0:5672,u:p@[::1]:5673/v",
        "rabbit://u:p%40%3A%23%25@h/%2F?heartbeat_timeout_threshold=5",
    ],
)
def test_opens_without_io(url: str | None) -> None:
    transport = open_transport(conf.load([]), url)
    transport.cleanup()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("rabbit://user:s3k%2Fr3t@h/v", "password with a '/'"),
        ("rabbit://us%2Fs3k:p@h/v", "password with a '/'"),
        ("pigeon://user:s3kr3t@h/v", "driver must be installed"),
        ("rabbit://user:s3kr3t@h:no/v", "port is not a number"),
        ("rabbit://user:s3kr3t@h/v?heartbeat_timeout_threshold=x", "must look like"),
        ("zmq://h:5570/?connect_timeout=never", "float: .never"),
        ("zmq://h:5570/?tcp_security=tls", "tls"),
        ("zmq:///?matchmaker_connection=redis://:s3kr3t@h/&max_connections=0", "greater than or equal to 1"),
    ],
)
def test_refuses_what_can_not_be_used(url: str, text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=text) as caught:
        open_transport(conf.load([]), url)
    assert "s3k" not in caught.value.message
