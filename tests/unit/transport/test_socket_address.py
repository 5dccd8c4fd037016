"""Texts of addresses."""

from __future__ import annotations

import socket

import pytest

from cells import exceptions
from cells.transport import socket_address
from tests.cases import each


@each(
    ("text", "expected"),
    [
        ("10.0.0.5:5680", ("10.0.0.5", 5680)),
        (" manager-1.east:1 ", ("manager-1.east", 1)),
        ("[fd00::5]:5680", ("fd00::5", 5680)),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert socket_address.split(text) == expected


@each("text", ["", "5680", ":5680", "host", "host:", "host:x", "host:65536", "::1", "fd00::5:5680", "host:\u0665"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        socket_address.split(text)


def test_the_text_of_a_socket_address_can_be_read_again() -> None:
    [found] = socket_address.resolve("[::1]:5680")
    assert found.family == socket.AF_INET6
    assert socket_address.show(found.address) == "[::1]:5680"
    assert socket_address.resolve(socket_address.show(found.address)) == [found]
