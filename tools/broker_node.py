"""A RabbitMQ node of one's own: it shares nothing with the machine's, which is left alone.

The benchmark needs a plugin that the machine's node may not have enabled, and more
connections than one should take from somebody else's; tests stop a node, freeze it and start it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.free_ports import free_ports
from tools.manager_process import ProcessError
from tools.polling import poll

#: Behind Debian's programs on PATH, which change to the user rabbitmq and would not get into our directory.
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 20.0
COMMAND_TIMEOUT_SECONDS = 60.0
USER = "guest"


class BrokerNode:
    """A node on a free port of 127.0.0.1; it runs while the ``with`` block does, or from ``start`` to ``stop``.

    :param directory: where it keeps everything
    :param names: its virtual hosts, there from its first start on
    :param plugins: to enable, ``["rabbitmq_shovel"]``
    :param schedulers: threads that it computes on; None: one for each processor
    """

    def __init__(
        self, directory: Path, names: Sequence[str], plugins: Sequence[str] = (), schedulers: int | None = None
    ) -> None:
        self._directory = directory
        self.port, distribution_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        definitions = directory / "definitions.json"
        definitions.write_text(json.dumps(_definitions(names)))
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"definitions.import_backend = local_filesystem\ndefinitions.local.path = {definitions}\n"
            "disk_free_limit.absolute = 10MB\n"
        )
        (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        (directory / "rabbitmq-env.conf").write_text("")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")},
            # The Erlang cookie is kept in HOME.
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
        """Start it and return at once."""
        with (self._directory / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("rabbitmq-server")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._directory,
                # Ctrl-C is for whoever started it, and it is stopped from there.
                start_new_session=True,
            )
        return self

    def wait_ready(self) -> BrokerNode:
        """Wait until it answers on its port.

        :raises ProcessError: it has ended
        """
        poll(self._is_answering, f"the node on port {self.port} answers", START_TIMEOUT_SECONDS)
        return self

    def freeze(self) -> None:
        """From now on it takes connections and bytes, and answers nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on as if nothing had been."""
        os.killpg(self.pid, signal.SIGCONT)

    def url(self, name: str, scheme: str = "rabbit") -> str:
        """The URL of one of its virtual hosts."""
        return f"{scheme}://{USER}:{USER}@127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """Of the node's process."""
        assert self._process is not None, "The node has been started."
        return self._process.pid

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on it and return what that prints.

        :raises ProcessError: it fails; the message is what it says
        """
        done = subprocess.run(
            [program("rabbitmqctl"), "-q", *arguments],
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

    def stop(self) -> None:
        """Stop it in an orderly way, frozen or not.  May be called twice."""
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
            # What a node starts beside itself.
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
    """Whether this machine has what a node needs."""
    return bool(_find("rabbitmq-server") and _find("rabbitmqctl"))


def program(name: str) -> str:
    """The program of that name.

    :raises ProcessError: there is none
    """
    found = _find(name)
    if not found:
        raise ProcessError(f"There is no program {name}: install the RabbitMQ server.")
    return found


def _find(name: str) -> str:
    behind = PROGRAMS / name
    return str(behind) if behind.exists() else shutil.which(name) or ""


def _definitions(names: Sequence[str]) -> dict[str, object]:
    rights = {"user": USER, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [{"name": USER, "password": USER, "tags": "administrator"}],
        "vhosts": [{"name": name} for name in names],
        "permissions": [{"vhost": name, **rights} for name in names],
    }
