"""The management API of RabbitMQ: the queues of a virtual host with their types, which AMQP does not tell.

The API belongs to the plugin ``rabbitmq_management``.  Only reading requests are sent.  No error has the login.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PORTS = {"http": 15672, "https": 15671}
_COLUMNS = "name,type,durable,auto_delete,arguments,messages,consumers,effective_policy_definition"
#: Bound of one answer: about 100,000 queues.
_MAX_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class ManagementError(Exception):
    """Raised when the API does not answer, or refuses the request.  Its text says why, without the login."""


@dataclass(frozen=True)
class Login:
    """User name and password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class HeldQueue:
    """A queue as the broker holds it."""

    name: str
    #: ``classic``, ``quorum`` or ``stream``
    type: str
    durable: bool
    auto_delete: bool
    #: of its declaration
    arguments: Mapping[str, Any]
    #: the definition of the policies that apply to it
    policy: Mapping[str, Any]
    #: a few seconds old
    messages: int
    consumers: int

    def setting(self, name: str) -> Any:
        """Return a setting that an argument or a policy may have, such as ``dead-letter-exchange``; None: neither."""
        return self.arguments.get(f"x-{name}", self.policy.get(name))


class ManagementAPI:
    """Client of one API.  Each method blocks for at most about the timeout; thread-safe."""

    def __init__(self, url: str, login: Login, timeout_seconds: float, ca_file: str = "") -> None:
        """:param url: ``https://user:password@host:15671``, perhaps with a path
        :param login: for a URL without one
        :param ca_file: certificates of authorities for https; empty: those of the system
        :raises ManagementError: the URL cannot be used
        """
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urllib.parse.urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ManagementError("the URL should look like http://user:password@host:15672")
        self._host, self._port = parts.hostname, port or _PORTS[parts.scheme]
        self._is_encrypted, self._ca_file = parts.scheme == "https", ca_file
        self._prefix = parts.path.rstrip("/")
        if parts.username is not None:
            unquote = urllib.parse.unquote
            login = Login(unquote(parts.username), unquote(parts.password or ""))
        self._username = login.username
        token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._timeout_seconds = timeout_seconds

    @property
    def address(self) -> str:
        """``host:port``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def queues(self, virtual_host: str) -> list[HeldQueue]:
        """Return the queues of a virtual host.

        :raises ManagementError: the API does not answer, or refuses the request
        """
        return [_held(row) for row in self._get(f"queues/{_quote(virtual_host)}?columns={_COLUMNS}", list)]

    def default_queue_type(self, virtual_host: str) -> str:
        """Return the type of a queue that is declared without one.  Raises the errors of :meth:`queues`."""
        found = self._get(f"vhosts/{_quote(virtual_host)}", dict).get("default_queue_type")
        return found if found in ("quorum", "stream") else "classic"

    def destinations(self, virtual_host: str, exchange: str) -> list[str]:
        """Return the queues that are bound to an exchange; none if it does not exist.

        :raises ManagementError: as :meth:`queues`
        """
        path = f"exchanges/{_quote(virtual_host)}/{_quote(exchange)}/bindings/source"
        rows = self._get(path, list, is_optional=True)
        return [str(row["destination"]) for row in rows if row.get("destination_type") == "queue"]

    def _get(self, path: str, kind: type[Any], *, is_optional: bool = False) -> Any:
        deadline = time.monotonic() + self._timeout_seconds
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request("GET", f"{self._prefix}/api/{path}", headers=self._headers)
                answer = connection.getresponse()
                if answer.status != http.HTTPStatus.OK:
                    if is_optional and answer.status == http.HTTPStatus.NOT_FOUND:
                        return kind()
                    raise ManagementError(self._refusal(answer.status))
                value = json.loads(_read(answer, deadline))
        except TimeoutError as error:
            text = f"{self.address} has not answered within {self._timeout_seconds:g} s"
            raise ManagementError(text) from error
        except OSError as error:
            raise ManagementError(f"{self.address} cannot be reached: {error}") from error
        except (http.client.HTTPException, ValueError) as error:
            raise ManagementError(f"{self.address} does not answer as the management API does") from error
        if not isinstance(value, kind):
            raise ManagementError(f"{self.address} does not answer as the management API does")
        return value

    def _connection(self) -> http.client.HTTPConnection:
        if not self._is_encrypted:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)
        context = ssl.create_default_context(cafile=self._ca_file or None)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_seconds, context=context)

    def _refusal(self, status: int) -> str:
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            return (
                f"{self.address} refuses user {self._username}: it needs the right password, the tag monitoring, and "
                "access to the virtual host"
            )
        return f"{self.address} answers with status {status}"


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read the body, which may come slowly.

    :raises TimeoutError: it is not complete at the deadline
    :raises ValueError: it is too long
    """
    body = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ValueError("too long")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _held(row: Any) -> HeldQueue:
    """:raises ManagementError: the row is not one of a queue"""
    if not isinstance(row, dict) or "name" not in row:
        raise ManagementError("a queue has no name: this is not the management API")
    return HeldQueue(
        name=str(row["name"]),
        type=str(row.get("type") or "classic"),
        durable=bool(row.get("durable")),
        auto_delete=bool(row.get("auto_delete")),
        arguments=_mapping(row.get("arguments")),
        policy=_mapping(row.get("effective_policy_definition")),
        # Not known yet of a queue that is seconds old.
        messages=int(row.get("messages") or 0),
        consumers=int(row.get("consumers") or 0),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return an object; Erlang writes one without keys as a list."""
    return value if isinstance(value, dict) else {}


def _quote(name: str) -> str:
    return urllib.parse.quote(name, safe="")
