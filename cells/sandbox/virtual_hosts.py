"""Virtual hosts on a shared RabbitMQ, one for each cell, created and deleted with ``rabbitmqctl``.

Used by a sandbox with ``--transport rabbit://...``, and by the tests and the benchmark of this project.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Collection
from typing import Any

from cells import exceptions
from cells.transport import rabbitmq
from cells.transport import url as transport_url

COMMAND_TIMEOUT_SECONDS = 60.0


def check_reachable(url: str) -> None:
    """Open and close a connection to one of the hosts of ``url``.

    :raises cells.exceptions.SandboxError: no host accepts the login
    """
    parsed = transport_url.parse(url)
    try:
        with rabbitmq.login_to_any(parsed.hosts, parsed.virtual_host):
            pass
    except rabbitmq.BrokerUnusableError as error:
        raise exceptions.SandboxError(
            f"No RabbitMQ host accepts a login as {user(url)} ({error}): check --transport and the server."
        ) from None


def user(url: str) -> str:
    """Return the user name of the login."""
    hosts = transport_url.parse(url).hosts
    return (hosts[0].username if hosts else None) or rabbitmq.DEFAULT_USER


def definitions(names: Collection[str], username: str) -> dict[str, Any]:
    """Return RabbitMQ definitions of these virtual hosts, with all permissions for the user."""
    rights = {"user": username, "configure": ".*", "write": ".*", "read": ".*"}
    return {"vhosts": [{"name": name} for name in names], "permissions": [{"vhost": name, **rights} for name in names]}


def create(names: Collection[str], username: str) -> None:
    """Create virtual hosts on the RabbitMQ of this machine.

    :raises cells.exceptions.SandboxError: rabbitmqctl fails, or this user may not run it
    """
    _rabbitmqctl("import_definitions", text=json.dumps(definitions(names, username)))


def delete(names: Collection[str]) -> None:
    """Delete virtual hosts on the RabbitMQ of this machine; a missing virtual host is no error.

    :raises cells.exceptions.SandboxError: rabbitmqctl fails, or this user may not run it
    """
    if names:
        # One command for all names, because each start of rabbitmqctl takes a second of processor time.
        listed = ", ".join(_erlang_binary(name) for name in names)
        _rabbitmqctl("eval", f"[catch rabbit_vhost:delete(Name, {_erlang_binary('cells')}) || Name <- [{listed}]], ok.")


def _erlang_binary(text: str) -> str:
    return f"<<{','.join(map(str, text.encode()))}>>"


def _rabbitmqctl(*arguments: str, text: str = "") -> None:
    program = shutil.which("rabbitmqctl", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise exceptions.SandboxError(
            "rabbitmqctl, which creates the virtual hosts, is not installed here: "
            "run this command on the host of RabbitMQ, as root or as the user rabbitmq."
        )
    command = [program, "-q", *arguments]
    failure = _run(command, text)
    if failure and os.geteuid() and shutil.which("sudo"):
        # In most distributions only root and rabbitmq may run rabbitmqctl; -n never asks for a password.
        failure = _run(["sudo", "-n", *command], text)
    if failure:
        raise exceptions.SandboxError(
            f"rabbitmqctl {arguments[0]} failed ({failure.splitlines()[0].strip()}): "
            "start RabbitMQ on this host, and run this command as root or as the user rabbitmq."
        )


def _run(command: list[str], text: str) -> str:
    """Run the command and return its error, empty if it succeeds."""
    with subprocess.Popen(  # noqa: S603  # rabbitmqctl, with names encoded as numbers
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A group that can be killed.  sudo stays: it may remember a password for this session only.
        start_new_session=command[0] != "sudo",
    ) as process:
        try:
            stdout, stderr = process.communicate(text, timeout=COMMAND_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return f"timeout after {COMMAND_TIMEOUT_SECONDS:.0f} s"
        finally:
            if process.poll() is None:
                _kill(process)
    if not process.returncode:
        return ""
    return (stderr + stdout).strip() or f"exit status {process.returncode}"


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill rabbitmqctl and its Erlang process, which would go on without the script that started it."""
    if os.getpgid(process.pid) == process.pid:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
