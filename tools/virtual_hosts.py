"""Virtual hosts for one run on a shared RabbitMQ.

The integration tests and the benchmark give every cell a virtual host with a random name,
so that a run never receives the messages of another run.  If
``CELLS_TEST_RABBIT_MANAGEMENT_URL`` is set (``http://guest:guest@host:15672``), they are
created through the management API of a remote RabbitMQ, otherwise by ``rabbitmqctl`` on
this machine, like those of ``cells sandbox``.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from cells import exceptions
from cells.sandbox import virtual_hosts

MANAGEMENT_URL = "CELLS_TEST_RABBIT_MANAGEMENT_URL"
REQUEST_TIMEOUT_SECONDS = 60.0


class BrokerError(Exception):
    """Raised when the broker cannot be used; the text says what to do."""


class VirtualHosts:
    """Creates virtual hosts on the broker of ``url``, and deletes them.

    :param url: transport URL of the broker; its user gets all permissions on the virtual hosts
    :param prefix: start of their names, for identification on the broker
    """

    def __init__(self, url: str, prefix: str = "cells-test") -> None:
        self._url = url
        self._prefix = prefix
        self._created: list[str] = []

    def create(self, count: int) -> list[str]:
        """Create ``count`` virtual hosts in one step and return their transport URLs.

        :raises BrokerError: RabbitMQ refuses, or this process has no access to its management
        """
        return self.create_named([self.new_name() for _ in range(count)])

    def new_name(self) -> str:
        """Return an unused name."""
        return f"{self._prefix}-{secrets.token_hex(4)}"

    def create_named(self, names: Sequence[str]) -> list[str]:
        """Create these virtual hosts; as :meth:`create`."""
        self._created += names
        username = virtual_hosts.user(self._url)
        management_url = os.environ.get(MANAGEMENT_URL)
        if management_url:
            _request(management_url, "POST", "/api/definitions", virtual_hosts.definitions(names, username))
        else:
            try:
                virtual_hosts.create(names, username)
            except exceptions.SandboxError as error:
                raise BrokerError(f"{error.message} Or set {MANAGEMENT_URL}.") from error
        return [self.url_of(name) for name in names]

    def url_of(self, name: str) -> str:
        """Return the transport URL of a virtual host of that name."""
        return urllib.parse.urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def delete(self) -> None:
        """Delete the virtual hosts that this object created; a missing virtual host is no error.

        :raises BrokerError: RabbitMQ refuses, or this process has no access to its management; call it again to retry
        """
        management_url = os.environ.get(MANAGEMENT_URL)
        if management_url:
            for name in self._created:
                _request(management_url, "DELETE", f"/api/vhosts/{urllib.parse.quote(name, safe='')}")
        else:
            try:
                virtual_hosts.delete(self._created)
            except exceptions.SandboxError as error:
                raise BrokerError(error.message) from error
        self._created.clear()


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
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        if not (method == "DELETE" and error.code == 404):
            raise BrokerError(f"RabbitMQ's management API refuses {method} {path}: {error}.") from error
    except OSError as error:
        raise BrokerError(f"RabbitMQ's management API does not answer ({error}): check {MANAGEMENT_URL}.") from error


def check_reachable(urls: Sequence[str]) -> None:
    """Open and close a connection to each broker.

    :raises BrokerError: a broker does not accept the connection
    """
    for url in urls:
        try:
            virtual_hosts.check_reachable(url)
        except exceptions.SandboxError as error:
            raise BrokerError(error.message) from error
