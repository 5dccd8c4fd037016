"""Casts from a service to the manager of its cell: the casts of many threads share one request.

The request is ``cast_many`` of version 1.2 of the manager's API, sent in one of two forms:

- Under ``[upgrade_levels] cells`` of 1.2 or later all managers of the cell read it: it is a cast.
- Without a cap the managers may be of two releases: it is a call, because a manager of an
  older release refuses it and only a call returns the refusal.  Then each cast is sent alone.
  The client first calls with no casts, and again when no batch was answered for a minute: if
  no manager answers, a batch could wait in the queue for an older manager, which drops it.

A cap below 1.2 disables batches, as does a transport without a broker, where a call may fail
after the manager has taken the casts.

The client is :class:`cells.rpcapi.CellsAPI`, the server :meth:`cells.manager.CellsManager.cast_many`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher as rpc_dispatcher
from oslo_serialization import jsonutils

from cells import exceptions
from cells.rpcapi.group_commit import BatchRefused, GroupCommit, OutcomeUnknown
from cells.transport import internals, time_limit
from cells.transport import url as transport_url

LOG = logging.getLogger(__name__)

#: The version of the manager's API that has ``cast_many``.
VERSION = "1.2"
MAX_CASTS = 256
MAX_CHARACTERS = 1024 * 1024
MAX_WAITING = 1024
#: A call costs more than fewer casts, each sent alone.
MIN_CASTS_OF_CALL = 6
MAX_WAIT_SECONDS = 30.0
#: Timeout of the manager's answer once the broker has the casts.
ANSWER_SECONDS = 5
#: Share of a cast's time that may pass before it is known that no manager reads batches: the cast needs the rest.
PROBE_SHARE = 0.5
#: The broker discards a call after its timeout but keeps a cast: this timeout keeps a batch for long.
KEPT_SECONDS = 7 * 24 * 3600
#: An answer to ``cast_many`` proves for so long that a manager reads it.
KNOWN_SECONDS = 60.0
#: A refusal, or a missing answer, disables batches for so long.
ALONE_SECONDS = 60.0

_REFUSALS = (rpc_dispatcher.UnsupportedVersion, rpc_dispatcher.NoSuchMethod)


class CastBatcher:
    """Sender of casts.  Thread-safe; the casts of one thread are sent in their order."""

    def __init__(
        self, client: Any, clock: Callable[[], float] = time.monotonic, send_seconds: float = MAX_WAIT_SECONDS
    ) -> None:
        """:param client: oslo.messaging's client of the manager
        :param send_seconds: limit of the time that a cast waits for the publishes of other threads
        """
        self._client = client
        self._clock = clock
        self._has_cap = client.version_cap is not None
        may_call = not transport_url.is_brokerless(internals.url_of(client.transport))
        self._is_enabled = client.can_send_version(VERSION) and (self._has_cap or may_call)
        self._alone_until = 0.0
        self._known_until = 0.0
        self._group = GroupCommit(
            self._send_many,
            min_items=2 if self._has_cap else MIN_CASTS_OF_CALL,
            max_items=MAX_CASTS,
            max_characters=MAX_CHARACTERS,
            max_waiting=MAX_WAITING,
            max_wait_seconds=send_seconds,
        )

    def send(self, ctxt: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        """Send a cast; returns when the broker has it.

        :param arguments: of :meth:`cells.manager.CellsManager.cast`
        :raises Exception: as :meth:`oslo_messaging.RPCClient.cast`
        """

        def alone() -> None:
            self._client.cast(ctxt, "cast", **arguments)

        if not self._is_enabled or self._clock() < self._alone_until:
            alone()
            return
        try:
            # As oslo.messaging makes JSON of a request.
            self._group.commit(alone, lambda: str(jsonutils.dumps({"ctxt": ctxt, **arguments})))
        except OutcomeUnknown as error:
            raise oslo_messaging.MessageDeliveryFailure(f"The cast may have been sent or not: {error}") from error

    def _send_many(self, casts: Sequence[str]) -> None:
        if self._clock() < self._alone_until:
            # Disabled while these casts waited: another vain wait would make their threads late.
            raise BatchRefused
        if self._has_cap:
            self._client.prepare(version=VERSION).cast({}, "cast_many", casts=casts)
            return
        if self._clock() >= self._known_until:
            self._probe()
        try:
            self._call(casts, KEPT_SECONDS)
        except oslo_messaging.MessagingTimeout:
            # Not an error: the broker has them, as after a cast.
            self._disable("has not answered")

    def _probe(self) -> None:
        """:raises BatchRefused: no manager answers that reads a batch"""
        try:
            self._call((), min(ANSWER_SECONDS, PROBE_SHARE * time_limit.seconds_to_send()))
        except oslo_messaging.MessagingTimeout as error:
            self._disable("does not answer")
            raise BatchRefused from error

    def _call(self, casts: Sequence[str], kept_seconds: float) -> None:
        """:raises BatchRefused: the manager has refused the request unread"""
        client = self._client.prepare(
            version=VERSION,
            timeout=kept_seconds,
            call_monitor_timeout=ANSWER_SECONDS,
        )
        try:
            client.call({}, "cast_many", casts=list(casts))
        except (oslo_messaging.RemoteError, *_REFUSALS) as error:
            if not is_refusal(error):
                raise
            self._disable("is of a release without batches")
            raise BatchRefused from error
        self._known_until = self._clock() + KNOWN_SECONDS

    def _disable(self, why: str) -> None:
        LOG.info("A manager of this cell %s: batches of casts are disabled for %d seconds.", why, ALONE_SECONDS)
        self._known_until = 0.0
        self._alone_until = self._clock() + ALONE_SECONDS


def is_refusal(error: Exception) -> bool:
    """Return whether a manager of an older release has refused a request unread."""
    if isinstance(error, (oslo_messaging.RemoteError, exceptions.RemoteError)):
        return error.exc_type in {refusal.__name__ for refusal in _REFUSALS}
    return isinstance(error, _REFUSALS)


def unpack(text: object) -> dict[str, Any]:
    """Return the arguments of :meth:`cells.manager.CellsManager.cast` that one item of a batch holds.

    :raises cells.exceptions.InvalidArguments: the item is not the text of a JSON object
    """
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise exceptions.InvalidArguments(f"Each cast of a batch must be the text of a JSON object, not {text!r:.80}.")
    return {name: found.get(name) for name in ("ctxt", "cell_name", "method_name", "method_kwargs")}
