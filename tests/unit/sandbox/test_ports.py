"""Ports for the managers of a sandbox."""

from __future__ import annotations

import errno
import socket

import pytest

from cells import exceptions
from cells.sandbox import ports
from cells.transport import reserved_port


def test_a_manager_can_listen_at_its_reserved_port_and_nobody_else_gets_it() -> None:
    with ports.reserved({"api": 0, "b": 0}) as free:
        assert len(set(free.values())) == 2
        with reserved_port.reserve(free["api"]) as of_manager:
            of_manager.listen()
        with socket.socket() as of_other_program, pytest.raises(OSError, match="in use"):
            of_other_program.bind(("127.0.0.1", free["b"]))
    with ports.reserved(free) as again:
        assert again == free


def test_a_port_in_use_is_replaced() -> None:
    with reserved_port.reserve() as used:
        used.listen()
        number = used.getsockname()[1]
        with ports.reserved({"api": number}) as free:
            assert free["api"] not in (0, number)


def test_too_many_open_files_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def reserve(port: int = 0) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    # Lowering the limit would fail other threads of this process.
    monkeypatch.setattr(reserved_port, "reserve", reserve)
    with pytest.raises(exceptions.SandboxError, match="--links rpc"), ports.reserved({"api": 0}):
        pass


def test_an_error_of_the_block_stays_as_it_is() -> None:
    with pytest.raises(OSError, match="disk"), ports.reserved({"api": 0}):
        raise OSError("disk")
