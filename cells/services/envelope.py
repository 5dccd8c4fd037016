"""The envelope of an RPC message, version 2.0: ``{"oslo.version": "2.0", "oslo.message": "<JSON text>"}``.

Between cells it keeps the message of a service one text, which relays pass on unread.
A message without an envelope is one of version 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oslo_serialization import jsonutils
from oslo_utils import versionutils

from cells import exceptions

VERSION = "2.0"
VERSION_KEY = "oslo.version"
MESSAGE_KEY = "oslo.message"


def serialize_msg(message: Any) -> dict[str, str]:
    """Wrap a message.

    :raises cells.exceptions.InvalidArguments: it has no JSON form
    """
    try:
        # As oslo.messaging does on its way to a server: what it can send there, it can send here.
        text = jsonutils.dumps(message, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise exceptions.InvalidArguments(f"A message cannot be written as JSON: {error}") from error
    return {VERSION_KEY: VERSION, MESSAGE_KEY: text}


def deserialize_msg(message: Any) -> Any:
    """The message in an envelope; one that is in none as it is.

    :raises cells.exceptions.UnsupportedRpcEnvelopeVersion: the envelope is of a later major or minor version
    :raises cells.exceptions.MalformedMessage: the envelope holds no JSON
    """
    if not isinstance(message, Mapping) or not (VERSION_KEY in message and MESSAGE_KEY in message):
        return message
    check_version(message[VERSION_KEY])
    try:
        return json.loads(message[MESSAGE_KEY])
    except (TypeError, ValueError, RecursionError) as error:
        raise exceptions.MalformedMessage(f"A message in an envelope is no JSON: {error}") from error


def check_version(version: object) -> None:
    """:raises cells.exceptions.UnsupportedRpcEnvelopeVersion: it cannot be read here"""
    try:
        is_known = isinstance(version, str) and versionutils.is_compatible(version, VERSION, same_major=True)
    except ValueError:
        is_known = False
    if not is_known:
        raise exceptions.UnsupportedRpcEnvelopeVersion(
            f"A message is in an envelope of version {version!r:.40}; here {VERSION} is known: upgrade this side first."
        )
