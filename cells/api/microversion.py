"""Microversions of the HTTP API: a client names the version whose answers it can read.

The header is ``OpenStack-API-Version: cells 1.0``; ``latest`` instead of a version means the newest one.  Without the
header, the oldest version answers.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from cells.api.errors import ApiError

HEADER = "OpenStack-API-Version"
SERVICE = "cells"
LATEST = "latest"
_VERSION = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})", re.ASCII)


class Microversion(NamedTuple):
    """One version of the HTTP API; versions can be compared."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


#: All versions, oldest first.  A change of an answer or of a request that a client can see adds one, with a comment.
HISTORY = (
    # The first version.
    Microversion(1, 0),
)
OLDEST, NEWEST = HISTORY[0], HISTORY[-1]


def read(header: str | None) -> Microversion:
    """Return the version for a request.

    :param header: its value, with versions of other services, too: ``compute 2.1, cells 1.0``; None: there is none
    :raises cells.api.errors.ApiError: 406, this release does not have the version; 400, it is no version
    """
    named = [words for entry in (header or "").split(",") if (words := entry.split()) and words[0].lower() == SERVICE]
    if not named:
        return OLDEST
    if len(named) > 1 or len(named[0]) != 2:
        raise _wrong(f"The header {HEADER} must have the form: {SERVICE} {NEWEST}.")
    text = named[0][1]
    if text.lower() == LATEST:
        return NEWEST
    found = _VERSION.fullmatch(text)
    if found is None:
        raise _wrong(f"The header {HEADER} has {text!a:.40}, which is no version: it must be {NEWEST}, or {LATEST}.")
    version = Microversion(int(found[1]), int(found[2]))
    if version not in HISTORY:
        raise ApiError(
            HTTPStatus.NOT_ACCEPTABLE,
            f"There is no version {version} of this API: the oldest is {OLDEST}, the newest {NEWEST}.",
            min_version=str(OLDEST),
            max_version=str(NEWEST),
        )
    return version


def _wrong(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, message, field=HEADER)
