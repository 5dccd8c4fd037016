"""A private RabbitMQ node, which shares nothing with the node of the machine.

The benchmark needs a plugin that the machine's node may not have enabled, and more
connections than a shared node can spare; tests stop, freeze and restart their node.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.free_ports import free_ports
from tools.manager_process import ProcessError
from tools.polling import poll
from tools.rabbitmq_installation import MACHINE, Installation, InstallationError

START_TIMEOUT_SECONDS = 180.0
STOP_TIMEOUT_SECONDS = 20.0
COMMAND_TIMEOUT_SECONDS = 60.0
USER = "guest"


class BrokerNode:
    """A node on a free port of 127.0.0.1.  It runs during the ``with`` block, or from ``start`` to ``stop``.

    :param directory: directory for all files of the node
    :param names: virtual hosts, created at the first start
    :param plugins: plugins to enable, ``["rabbitmq_shovel"]``
    :param schedulers: number of scheduler threads; None: one for each processor
    :param settings: further lines of rabbitmq.conf
    :param installation: the RabbitMQ to run
    """

    def __init__(  # options by keyword
        self,
        directory: Path,
        names: Sequence[str],
        plugins: Sequence[str] = (),
        schedulers: int | None = None,
        *,
        settings: Sequence[str] = (),
        installation: Installation = MACHINE,
    ) -> None:
        self._directory = directory
        self._installation = installation
        inside = installation.inside(directory)
        self.port, distribution_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        definitions = directory / "definitions.json"
        definitions.write_text(json.dumps(_definitions(names)))
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"definitions.import_backend = local_filesystem\ndefinitions.local.path = {inside / definitions.name}\n"
            "disk_free_limit.absolute = 10MB\n" + "".join(f"{line}\n" for line in settings)
        )
        (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        (directory / "rabbitmq-env.conf").write_text("")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")},
            # HOME has the Erlang cookie.
            "HOME": str(inside),
            "RABBITMQ_NODENAME": f"cells-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(inside / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(inside / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(inside / "mnesia"),
            "RABBITMQ_LOG_BASE": str(inside / "log"),
            "RABBITMQ_PID_FILE": str(inside / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(inside / "enabled_plugins"),
            # With this variable the script replaces itself with the node, so that signals reach the node.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput"
            + (f" +S {schedulers}:{schedulers}" if schedulers else ""),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def __enter__(self) -> BrokerNode:
        try:
            return self.start().wait_ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> BrokerNode:
        """Start the node and return at once."""
        with (self._directory / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("rabbitmq-server"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._directory,
                # Ctrl-C goes to the parent process, which stops the node.
                start_new_session=True,
            )
        return self

    def wait_ready(self) -> BrokerNode:
        """Wait until the node answers on its port.

        :raises ProcessError: the node has ended
        """
        poll(self._is_answering, f"the node on port {self.port} answers", START_TIMEOUT_SECONDS)
        return self

    def freeze(self) -> None:
        """Suspend the node: the system still accepts connections and bytes, but the node does not answer."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the node."""
        os.killpg(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def blocked(self) -> Iterator[None]:
        """Set off the memory alarm of the node: it accepts connections, and reads no message."""
        self.control("set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            self.control("set_vm_memory_high_watermark", "0.4")

    def url(self, name: str, scheme: str = "rabbit") -> str:
        """Return the URL of a virtual host."""
        return f"{scheme}://{USER}:{USER}@127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """The process ID of the node."""
        assert self._process is not None, "The node is not running."
        return self._process.pid

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on the node and return its output.

        :raises ProcessError: the command fails; the text has its output
        """
        done = subprocess.run(
            [*self._command("rabbitmqctl"), "-q", *arguments],
            env=self._environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ProcessError(f"rabbitmqctl {arguments[0]} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def _command(self, name: str) -> list[str]:
        """:raises ProcessError: the program is not installed"""
        try:
            return self._installation.command(name)
        except InstallationError as error:
            raise ProcessError(str(error)) from error

    def stop(self) -> None:
        """Stop the node in an orderly way, even if it is frozen.  May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):
            # Child processes of the node.
            os.killpg(process.pid, signal.SIGKILL)

    def _is_answering(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise ProcessError(f"The node ended:\n{(self._directory / 'console.log').read_text()[-3000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                connection.settimeout(2)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


def is_installed() -> bool:
    """Return whether this machine has the programs of a node."""
    try:
        return bool(MACHINE.command("rabbitmq-server") and MACHINE.command("rabbitmqctl"))
    except InstallationError:
        return False


def _definitions(names: Sequence[str]) -> dict[str, object]:
    rights = {"user": USER, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [{"name": USER, "password": USER, "tags": "administrator"}],
        "vhosts": [{"name": name} for name in names],
        "permissions": [{"vhost": name, **rights} for name in names],
    }
