"""Virtual hosts of one's own on a RabbitMQ that others use too.

The demo, the integration tests and the benchmark give every cell a virtual host with
a random name, so that a run never sees the messages of another one.  A remote
RabbitMQ is asked over its management API if ``CELLS_TEST_RABBIT_MANAGEMENT_URL`` is
set (``http://guest:guest@host:15672``), the one on this machine by ``rabbitmqctl``.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

import kombu

MANAGEMENT_URL = "CELLS_TEST_RABBIT_MANAGEMENT_URL"
COMMAND_TIMEOUT_SECONDS = 60.0


class BrokerError(Exception):
    """Raised when the broker can not be used; the message says what to do."""


class VirtualHosts:
    """Creates virtual hosts beside ``url`` and deletes all of them again.

    :param url: transport URL of the broker; its user gets all rights on what is created
    :param prefix: start of the names, for whoever looks at the broker meanwhile
    """

    def __init__(self, url: str, prefix: str = "cells-test") -> None:
        self._url = urllib.parse.urlsplit(url)
        self._prefix = prefix
        self._created: list[str] = []

    def create(self, count: int) -> list[str]:
        """Create ``count`` of them at once and return their transport URLs.

        :raises BrokerError: RabbitMQ refuses, or nothing here may ask it
        """
        names = [f"{self._prefix}-{secrets.token_hex(4)}" for _ in range(count)]
        self._created += names
        rights = {"user": self.username, "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **rights} for name in names],
        }
        management_url = os.environ.get(MANAGEMENT_URL)
        if management_url:
            _request(management_url, "POST", "/api/definitions", definitions)
        else:
            _rabbitmqctl("import_definitions", text=json.dumps(definitions))
        return [self._url._replace(path=f"/{name}").geturl() for name in names]

    def delete(self) -> None:
        """Delete all that this object created; what is gone already is no error."""
        names, self._created = self._created, []
        management_url = os.environ.get(MANAGEMENT_URL)
        if management_url:
            for name in names:
                _request(management_url, "DELETE", f"/api/vhosts/{urllib.parse.quote(name, safe='')}")
        elif names:
            # One command for all: each start of it takes a second of a processor.  The names are ours, and harmless.
            listed = ", ".join(f'<<"{name}">>' for name in names)
            _rabbitmqctl("eval", f'[catch rabbit_vhost:delete(Name, <<"{self._prefix}">>) || Name <- [{listed}]], ok.')

    @property
    def username(self) -> str:
        """Who gets the rights."""
        return urllib.parse.unquote(self._url.username or "guest")


def _rabbitmqctl(*arguments: str, text: str = "") -> None:
    program = shutil.which("rabbitmqctl", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BrokerError(f"There is no rabbitmqctl here: install RabbitMQ, or set {MANAGEMENT_URL}.")
    command = [program, "-q", *arguments]
    failure = _run(command, text)
    if failure and os.geteuid() and shutil.which("sudo"):
        # Distributions let root and rabbitmq use it, nobody else; -n never asks for a password.
        failure = _run(["sudo", "-n", *command], text)
    if failure:
        raise BrokerError(
            f"rabbitmqctl {arguments[0]} failed ({failure.splitlines()[0].strip()}): "
            f"start RabbitMQ and run this as root or as the user rabbitmq, or set {MANAGEMENT_URL}."
        )


def _run(command: list[str], text: str) -> str:
    """What the command complains about, empty if it succeeds."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end after {COMMAND_TIMEOUT_SECONDS:.0f} s"
    if not done.returncode:
        return ""
    return (done.stderr + done.stdout).strip() or f"exit status {done.returncode}"


def _request(management_url: str, method: str, path: str, body: Any = None) -> None:
    url = urllib.parse.urlsplit(management_url)
    host = url.hostname or "localhost"
    netloc = f"[{host}]" if ":" in host else host
    credentials = f"{urllib.parse.unquote(url.username or 'guest')}:{urllib.parse.unquote(url.password or 'guest')}"
    request = urllib.request.Request(
        url._replace(netloc=f"{netloc}:{url.port or 15672}", path=path).geturl(),
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=COMMAND_TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        if not (method == "DELETE" and error.code == 404):
            raise BrokerError(f"RabbitMQ's management API refuses {method} {path}: {error}.") from error
    except OSError as error:
        raise BrokerError(f"RabbitMQ's management API does not answer ({error}): check {MANAGEMENT_URL}.") from error


def vhost_of(url: str) -> str:
    """The name of the virtual host of a transport URL."""
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.lstrip("/"))


def check_reachable(urls: Sequence[str]) -> None:
    """Open and close a connection to each broker.

    :raises BrokerError: one of them does not accept it
    """
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        try:
            with kombu.Connection(parts._replace(scheme="amqp").geturl(), connect_timeout=3) as connection:
                connection.connect()
        except Exception as error:
            where = f"{parts.hostname}:{parts.port or 5672}"
            raise BrokerError(f"No RabbitMQ at {where} that accepts {parts.username}: {error}") from error
