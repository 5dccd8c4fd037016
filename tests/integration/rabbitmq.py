"""RabbitMQ for the integration tests: virtual hosts on the machine's, and whole nodes of a test's own.

The machine's node gets virtual hosts with random names and is otherwise left alone:
it may be somebody's.  What a test wants to stop, start or freeze is an
:class:`OwnBroker`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tools import virtual_hosts
from tools.polling import poll

URL = os.environ.get("CELLS_TEST_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")
BATCH = 16


class VirtualHostPool:
    """Hands out transport URLs of virtual hosts that nobody has used before.

    Creating many costs RabbitMQ's command no more than creating one.
    """

    def __init__(self, hosts: virtual_hosts.VirtualHosts) -> None:
        self._hosts = hosts
        self._free: list[str] = []

    def take(self) -> str:
        """The transport URL of a fresh virtual host."""
        if not self._free:
            self._free = self._hosts.create(BATCH)
        return self._free.pop()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[VirtualHostPool]:
    """The machine's RabbitMQ."""
    hosts = virtual_hosts.VirtualHosts(URL)
    try:
        virtual_hosts.check_reachable([URL])
        pool = VirtualHostPool(hosts)
        pool.take()
    except virtual_hosts.BrokerError as error:
        pytest.skip(f"no RabbitMQ: {error}")
    try:
        yield pool
    finally:
        hosts.delete()


class OwnBroker:
    """A RabbitMQ node that belongs to one test: it may be stopped, started again and frozen.

    It listens on a port of 127.0.0.1 that was free, keeps everything in
    ``directory``, and has the virtual hosts ``names`` from its first start on.
    """

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        self._directory = directory
        self.port, distribution_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        definitions = directory / "definitions.json"
        definitions.write_text(_definitions(names))
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"definitions.import_backend = local_filesystem\ndefinitions.local.path = {definitions}\n"
            "disk_free_limit.absolute = 10MB\n"
        )
        (directory / "enabled_plugins").write_text("[].\n")
        (directory / "rabbitmq-env.conf").write_text("")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")},
            # The Erlang cookie is kept in HOME: this node shares nothing with the machine's.
            "HOME": str(directory),
            "RABBITMQ_NODENAME": f"cells-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            # The script then becomes the node, so that signals go to the node itself.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 1:1",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def url(self, name: str) -> str:
        """The transport URL of one of its virtual hosts."""
        return f"rabbit://guest:guest@127.0.0.1:{self.port}/{name}"

    def start(self) -> OwnBroker:
        """Start the node and return at once."""
        with (self._directory / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [server_program()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
            )
        return self

    def wait_ready(self) -> OwnBroker:
        """Wait until it answers on its port."""
        poll(self._answers, f"the node on port {self.port} answers", timeout_seconds=60)
        return self

    def stop(self) -> None:
        """Stop the node in an orderly way."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """From now on it takes connections and bytes, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"The node ended:\n{(self._directory / 'console.log').read_text()[-3000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                connection.settimeout(2)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    """A node with the virtual hosts a, b, c and d, for all tests of one file."""
    if server_program() == "":
        pytest.skip("no program rabbitmq-server")
    broker = OwnBroker(tmp_path_factory.mktemp("rabbitmq"), ["a", "b", "c", "d"])
    try:
        yield broker.start().wait_ready()
    finally:
        broker.stop()


def server_program() -> str:
    """The program that starts a node, empty if there is none.

    Debian's one on PATH changes to the user rabbitmq first and would not get into
    a test's directory; the one behind it does not.
    """
    behind = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(behind) if behind.exists() else shutil.which("rabbitmq-server") or ""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def amqp_url(transport_url: str) -> str:
    """The same as kombu spells it, for tests that publish past our own code."""
    return urllib.parse.urlsplit(transport_url)._replace(scheme="amqp").geturl()


def _definitions(names: Sequence[str]) -> str:
    rights = '"configure": ".*", "write": ".*", "read": ".*"'
    hosts = ", ".join(f'{{"name": "{name}"}}' for name in names)
    permissions = ", ".join(f'{{"user": "guest", "vhost": "{name}", {rights}}}' for name in names)
    return (
        '{"users": [{"name": "guest", "password": "guest", "tags": "administrator"}], '
        f'"vhosts": [{hosts}], "permissions": [{permissions}]}}'
    )
