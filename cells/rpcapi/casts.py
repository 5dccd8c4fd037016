"""Casts on their way from a service to the manager of its cell: those of many threads in one request.

The request is a call, though no caller waits for what it returns: a manager of an older
release refuses to read it, and only who calls hears of that.  Then each cast is sent as
that release reads it, so the managers of a cell may be of two releases.  A manager is asked
first, with no casts, whether it reads such a request, and from time to time again: where nobody
answers, casts go alone, and wait for whichever manager comes.  Where a version cap says that
all of them read it, it is a cast.

Its client is :class:`cells.rpcapi.CellsAPI`, its other end :meth:`cells.manager.CellsManager.cast_many`.
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
from cells.rpcapi.group_commit import GroupCommit, NotTogether, OutcomeUnknown
from cells.transport import reachability
from cells.transport import url as transport_url

LOG = logging.getLogger(__name__)

#: Of the manager's API: what it must read.
VERSION = "1.2"
MAX_CASTS = 256
MAX_CHARACTERS = 1024 * 1024
MAX_WAITING = 1024
#: With fewer casts a call costs more than they do, each alone.
FEWEST_OF_CALL = 6
PATIENCE_SECONDS = 30.0
#: How long the manager's answer is waited for when the broker has the casts.
ANSWER_SECONDS = 5
#: A call that nobody takes is thrown away by the broker after its timeout, a cast never.
KEPT_SECONDS = 7 * 24 * 3600
#: How long a manager that has answered is not asked again whether it reads many casts.
KNOWN_SECONDS = 60.0
#: How long each cast goes alone after a manager has refused many, or has not answered.
ALONE_SECONDS = 60.0

_REFUSALS = (rpc_dispatcher.UnsupportedVersion, rpc_dispatcher.NoSuchMethod)


class Casts:
    """Thread-safe.  The casts of one thread are sent in their order."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """:param client: of oslo.messaging, for the manager"""
        self._client = client
        self._clock = clock
        #: A cap is taken at its word.
        self._is_certain = client.version_cap is not None
        # Without a broker a call may end without an answer while nobody knows whether the casts were taken.
        may_call = not transport_url.is_brokerless(str(client.transport._driver._url))
        self._is_allowed = client.can_send_version(VERSION) and (self._is_certain or may_call)
        self._alone_until = 0.0
        self._known_until = 0.0
        self._group = GroupCommit(
            self._send_many,
            fewest=2 if self._is_certain else FEWEST_OF_CALL,
            max_items=MAX_CASTS,
            max_characters=MAX_CHARACTERS,
            max_waiting=MAX_WAITING,
            patience_seconds=PATIENCE_SECONDS,
        )

    def send(self, ctxt: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        """Send a cast; returns when the broker has it.

        :param arguments: of :meth:`cells.manager.CellsManager.cast`
        :raises Exception: as :meth:`oslo_messaging.RPCClient.cast`
        """

        def alone() -> None:
            self._client.cast(ctxt, "cast", **arguments)

        if not self._is_allowed or self._clock() < self._alone_until:
            alone()
            return
        try:
            self._group.commit(alone, lambda: _pack(ctxt, arguments))
        except OutcomeUnknown as error:
            raise oslo_messaging.MessageDeliveryFailure(f"Whether a cast was sent is not known: {error}") from error

    def _send_many(self, casts: Sequence[str]) -> None:
        if self._is_certain:
            self._client.prepare(version=VERSION).cast({}, "cast_many", casts=casts)
            return
        if self._clock() >= self._known_until:
            self._ask()
        try:
            self._call(casts, KEPT_SECONDS)
        except oslo_messaging.MessagingTimeout:
            # The broker has them, as after a cast; when a manager reads them is not known.
            self._go_alone("has not answered")

    def _ask(self) -> None:
        """See that a manager is there that reads many casts.

        :raises NotTogether: none is
        """
        try:
            self._call((), ANSWER_SECONDS)
        except oslo_messaging.MessagingTimeout as error:
            self._go_alone("does not answer")
            raise NotTogether from error
        self._known_until = self._clock() + KNOWN_SECONDS

    def _call(self, casts: Sequence[str], kept_seconds: float) -> None:
        """:raises NotTogether: the manager that has got them has read none of them"""
        client = self._client.prepare(
            version=VERSION,
            timeout=kept_seconds,
            call_monitor_timeout=ANSWER_SECONDS,
            retry=reachability.reach(self._client.transport, ANSWER_SECONDS, self._client.retry),
        )
        try:
            client.call({}, "cast_many", casts=list(casts))
        except (oslo_messaging.RemoteError, *_REFUSALS) as error:
            if not _is_refusal(error):
                raise
            self._go_alone("is of a release that reads casts one by one")
            raise NotTogether from error

    def _go_alone(self, why: str) -> None:
        LOG.info("A manager of this cell %s: for %d seconds each cast is sent to it alone.", why, ALONE_SECONDS)
        self._known_until = 0.0
        self._alone_until = self._clock() + ALONE_SECONDS


def _is_refusal(error: Exception) -> bool:
    """Whether a manager has refused a request before it has looked into it."""
    if isinstance(error, oslo_messaging.RemoteError):
        return error.exc_type in {refusal.__name__ for refusal in _REFUSALS}
    return True


def _pack(ctxt: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    # As oslo.messaging makes JSON of a request.
    text: str = jsonutils.dumps({"ctxt": ctxt, **arguments})
    return text


def unpack(text: object) -> dict[str, Any]:
    """The arguments of :meth:`cells.manager.CellsManager.cast`, of one of many casts.

    :raises cells.exceptions.InvalidArguments: it is none
    """
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise exceptions.InvalidArguments(f"One of many casts is the text of a JSON object, not {text!r:.80}.")
    return {name: found.get(name) for name in ("ctxt", "cell_name", "method_name", "method_kwargs")}
