"""Envelope of an RPC message, version 2.0: ``{"oslo.version": "2.0", "oslo.message": "<JSON text>"}``.

Between cells the envelope keeps the message of a service one text, which relays forward without reading it.
A message without an envelope has version 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oslo_serialization import jsonutils
from oslo_utils import versionutils

from cells import exceptions, failure

VERSION = "2.0"
VERSION_KEY = "oslo.version"
MESSAGE_KEY = "oslo.message"


def serialize_msg(message: Any) -> dict[str, str]:
    """Return ``message`` in an envelope.

    :raises cells.exceptions.InvalidArguments: ``message`` has no JSON form
    """
    try:
        # The function that oslo.messaging uses, so that both accept the same values.
        text = jsonutils.dumps(message, allow_nan=False)
    except Exception as error:  # the methods of a value may raise anything
        reason = failure.text_of(error)
        raise exceptions.InvalidArguments(f"The message cannot be written as JSON: {reason}") from error
    return {VERSION_KEY: VERSION, MESSAGE_KEY: text}


def deserialize_msg(message: Any) -> Any:
    """Return the message in an envelope; a message without an envelope is returned unchanged.

    :raises cells.exceptions.UnsupportedRpcEnvelopeVersion: the envelope has a later major or minor version
    :raises cells.exceptions.MalformedMessage: the envelope contains no JSON
    """
    if not isinstance(message, Mapping) or not (VERSION_KEY in message and MESSAGE_KEY in message):
        return message
    check_version(message[VERSION_KEY])
    try:
        return json.loads(message[MESSAGE_KEY])
    except (TypeError, ValueError, RecursionError) as error:
        raise exceptions.MalformedMessage(f"The message in an envelope is no JSON: {error}") from error


def check_version(version: object) -> None:
    """:raises cells.exceptions.UnsupportedRpcEnvelopeVersion: this release cannot read ``version``"""
    try:
        is_known = isinstance(version, str) and versionutils.is_compatible(version, VERSION, same_major=True)
    except ValueError:
        is_known = False
    if not is_known:
        raise exceptions.UnsupportedRpcEnvelopeVersion(
            f"A message has an envelope of version {version!r:.40}, but this release reads up to {VERSION}: "
            "upgrade the receiving side first."
        )
