"""Virtual hosts of one's own on a RabbitMQ that others use too.

The integration tests and the benchmark give every cell a virtual host with
a random name, so that a run never sees the messages of another one.  A remote
RabbitMQ is asked over its management API if ``CELLS_TEST_RABBIT_MANAGEMENT_URL`` is
set (``http://guest:guest@host:15672``), the one on this machine by ``rabbitmqctl``,
as ``cells sandbox`` does it.
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
    """Raised when the broker cannot be used; the message says what to do."""


class VirtualHosts:
    """Creates virtual hosts beside ``url`` and deletes all of them again.

    :param url: transport URL of the broker; its user gets all rights on what is created
    :param prefix: start of the names, for whoever looks at the broker meanwhile
    """

    def __init__(self, url: str, prefix: str = "cells-test") -> None:
        self._url = url
        self._prefix = prefix
        self._created: list[str] = []

    def create(self, count: int) -> list[str]:
        """Create ``count`` of them at once and return their transport URLs.

        :raises BrokerError: RabbitMQ refuses, or nothing here may ask it
        """
        names = [f"{self._prefix}-{secrets.token_hex(4)}" for _ in range(count)]
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
        return [urllib.parse.urlsplit(self._url)._replace(path=f"/{name}").geturl() for name in names]

    def delete(self) -> None:
        """Delete all that this object created; what is gone already is no error."""
        names, self._created = self._created, []
        management_url = os.environ.get(MANAGEMENT_URL)
        if management_url:
            for name in names:
                _request(management_url, "DELETE", f"/api/vhosts/{urllib.parse.quote(name, safe='')}")
            return
        try:
            virtual_hosts.delete(names)
        except exceptions.SandboxError as error:
            raise BrokerError(error.message) from error


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

    :raises BrokerError: one of them does not accept it
    """
    for url in urls:
        try:
            virtual_hosts.check_reachable(url)
        except exceptions.SandboxError as error:
            raise BrokerError(error.message) from error
