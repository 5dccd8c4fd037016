"""The addresses at which a process listens, and a failed attempt leaves nothing behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cells import exceptions
from cells.brokerless import frames
from cells.brokerless.bound_server import BindSpec, BoundServer
from cells.brokerless.keys import KeyStore
from cells.brokerless.server import NO_LISTENER
from tests.unit.brokerless.serving import Connect, ended, on_thread
from tools.free_ports import free_ports
from tools.polling import poll

LIMIT = 1000
REFUSED = (frames.REFUSED, NO_LISTENER.encode())


def endpoint() -> str:
    (port,) = free_ports(1)
    return f"tcp://127.0.0.1:{port}"


def test_socket_in_a_directory_is_private_to_this_user(sockets: Path, connect: Connect) -> None:
    bound_server = BoundServer(BindSpec("", LIMIT, directory=sockets))
    (path,) = sockets.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(bound_server.address) == f"ipc://{path}"
    assert connect(f"ipc://{path}").ask("key") == REFUSED
    assert ended(on_thread(bound_server.close))
    assert list(sockets.iterdir()) == []


def test_directory_and_port_are_one_address(sockets: Path, connect: Connect) -> None:
    port = endpoint()
    bound_server = BoundServer(BindSpec("", LIMIT, directory=sockets, candidates=(port,)))
    assert len(bound_server.address.endpoints) == 2
    assert bound_server.address.endpoints[1] == port
    for one in bound_server.address.endpoints:
        assert connect(one).ask("key") == REFUSED
    bound_server.close()


def test_first_address_that_can_be_bound_is_used(connect: Connect) -> None:
    # 192.0.2.1 belongs to no host: it is reserved for documentation.
    free = endpoint()
    bound_server = BoundServer(BindSpec("", LIMIT, candidates=("tcp://192.0.2.1:5570", free)))
    assert bound_server.address.endpoints == (free,)
    second = endpoint()
    other = BoundServer(BindSpec("", LIMIT, candidates=(free, second)))
    assert other.address.endpoints == (second,)
    assert connect(free).ask("key") == REFUSED
    other.close()
    bound_server.close()


def test_host_name_may_be_bound(connect: Connect) -> None:
    (port,) = free_ports(1)
    bound_server = BoundServer(BindSpec("", LIMIT, candidates=(f"tcp://localhost:{port}",)))
    assert connect(f"tcp://localhost:{port}").ask("key") == REFUSED
    bound_server.close()


def test_address_that_cannot_be_bound_is_named_and_nothing_stays_open(sockets: Path) -> None:
    taken = endpoint()
    first = BoundServer(BindSpec("", LIMIT, candidates=(taken,)))
    before = len(os.listdir("/proc/self/fd"))
    for bind_spec in (
        BindSpec("", LIMIT, candidates=("tcp://192.0.2.1:5570", taken)),
        BindSpec("", LIMIT, directory=sockets, candidates=(taken,)),
    ):
        with pytest.raises(exceptions.ConfigurationError, match=f"{taken}: "):
            BoundServer(bind_spec)
    poll(lambda: len(os.listdir("/proc/self/fd")) <= before, "the sockets are closed")
    assert list(sockets.iterdir()) == []
    first.close()


def test_error_names_a_directory_that_cannot_be_used(sockets: Path) -> None:
    sockets.chmod(0o755)
    with pytest.raises(exceptions.ConfigurationError, match=f"chmod 700 {sockets}"):
        BoundServer(BindSpec("", LIMIT, directory=sockets))
    with pytest.raises(exceptions.ConfigurationError, match="ipc_dir"):
        BoundServer(BindSpec("", LIMIT, directory=sockets / ("x" * 100)))


def test_secured_port_without_a_key_fails_and_stays_free(sockets: Path) -> None:
    bind_spec = BindSpec("", LIMIT, candidates=(endpoint(),), keys_dir=sockets / "keys")
    with pytest.raises(exceptions.ConfigurationError, match="cells key create"):
        BoundServer(bind_spec)
    KeyStore(sockets / "keys").create()
    for _ in range(2):
        bound_server = BoundServer(bind_spec)
        assert ended(on_thread(bound_server.close))


def test_secured_port_does_not_answer_a_plain_client(sockets: Path, connect: Connect) -> None:
    KeyStore(sockets / "keys").create()
    secured = endpoint()
    bound_server = BoundServer(
        BindSpec("", LIMIT, directory=sockets / "ipc", candidates=(secured,), keys_dir=sockets / "keys")
    )
    stranger = connect(secured)
    stranger.request("key")
    assert connect(bound_server.address.endpoints[0]).ask("key") == REFUSED
    assert not stranger.socket.poll(50)
    bound_server.close()


def test_address_can_be_bound_again_after_close() -> None:
    bind_spec = BindSpec("", LIMIT, candidates=(endpoint(),))
    for _ in range(5):
        BoundServer(bind_spec).close()
