"""Authenticators: who the client of a request is, and its roles.

An authenticator returns the keywords of a request context, and never reads a body.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from cells.api.errors import ApiError
from cells.api.tokens import Token, find

READER, ADMIN = "reader", "admin"
#: Names of this host that a browser cannot be made to use for a page of another host.
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

Environ = Mapping[str, Any]


class Authenticator(Protocol):
    """What the application asks about each request that needs a client."""

    def identify(self, environ: Environ) -> dict[str, Any]:
        """Return the keywords of the request context.  Does not block.

        :raises cells.api.errors.ApiError: 401 without a valid token, 403 from a place that may not ask
        """


class NoAuth:
    """Every process of this host is an administrator."""

    def identify(self, environ: Environ) -> dict[str, Any]:
        """Refuse other hosts, and web pages that a browser of this host shows under the name of another host."""
        address, name = str(environ.get("REMOTE_ADDR", "")), _host_name(str(environ.get("HTTP_HOST", "")))
        if not is_loopback(address) or name not in _LOCAL_NAMES:
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                "[cells_api] auth = noauth serves only clients of this host, with a URL of 127.0.0.1, [::1] or "
                "localhost.",
            )
        return {"user_id": "noauth", "roles": [ADMIN, READER]}


class StaticTokens:
    """Clients with a token of a file."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)

    def identify(self, environ: Environ) -> dict[str, Any]:
        """Find the token of the header X-Auth-Token, or of ``Authorization: Bearer``."""
        given = str(environ.get("HTTP_X_AUTH_TOKEN", ""))
        scheme, _, credentials = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        if not given and scheme.lower() == "bearer":
            given = credentials.strip()
        found = find(self._tokens, given) if given else None
        if found is None:
            raise unauthorized("The token is unknown." if given else "The request has no token.")
        return {"user_id": found.client, "roles": [READER] if found.role == READER else [ADMIN, READER]}


class Keystone:
    """Clients that keystonemiddleware, in front of the application, has identified."""

    def identify(self, environ: Environ) -> dict[str, Any]:
        """Read the headers of the middleware, which removes those of a client."""
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            raise unauthorized("The request has no valid token of Keystone in the header X-Auth-Token.")
        roles = [role.strip() for role in str(environ.get("HTTP_X_ROLES", "")).split(",") if role.strip()]
        names = {
            "user_id": "HTTP_X_USER_ID",
            "user_name": "HTTP_X_USER_NAME",
            "user_domain_id": "HTTP_X_USER_DOMAIN_ID",
            "project_id": "HTTP_X_PROJECT_ID",
            "project_name": "HTTP_X_PROJECT_NAME",
            "project_domain_id": "HTTP_X_PROJECT_DOMAIN_ID",
            "system_scope": "HTTP_OPENSTACK_SYSTEM_SCOPE",
        }
        known = {key: environ[header] for key, header in names.items() if environ.get(header)}
        return {**known, "roles": roles}


def unauthorized(message: str) -> ApiError:
    """Return the error of a request without a valid token."""
    return ApiError(HTTPStatus.UNAUTHORIZED, message, headers={"WWW-Authenticate": 'Bearer realm="cells"'})


def is_loopback(address: str) -> bool:
    """Return whether ``address`` is an IP address that only processes of this host can use."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    """Return the name in a header Host, without the port and the brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
