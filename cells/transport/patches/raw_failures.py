"""Errors of services, kept as the texts that they came as.

A client of oslo.messaging raises an exception: rebuilt, which needs its class, or a
RemoteError, which has lost the module and the arguments.  A manager passes failures on
to cells with classes that the manager does not have, so it must do neither.  oslo.messaging has no
option for that, so this patch replaces the function that reads failures. The new function keeps
the texts for transports that were opened with :data:`KEEP`, and only for those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from oslo_messaging._drivers import common as rpc_common

from cells.transport.patches.base import Patch, names_in


class RawFailure(Exception):  # it stands for an error, and never reaches a user
    """Raised by a call over a transport that keeps failures."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _Keep(Collection[str]):
    """An empty list of modules."""

    def __contains__(self, module: object) -> bool:
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        """A driver replaces a list that is false by its default."""
        return True


#: For ``allowed_remote_exmods`` of a transport.
KEEP = _Keep()


class RawFailures(Patch):
    """Transports that were opened with :data:`KEEP` raise RawFailure."""

    name = "raw_failures"

    def _is_applicable(self) -> bool:
        from oslo_messaging._drivers import amqpdriver  # noqa: PLC0415  # slow to import

        # A driver that imported the function itself would not see the replacement.
        return "deserialize_remote_exception" in names_in(amqpdriver.ReplyWaiter._process_reply)

    def _install(self) -> None:
        original: Callable[[Any, Any], Exception] = rpc_common.deserialize_remote_exception

        def read(data: Any, allowed_remote_exmods: Any) -> Exception:
            return RawFailure(str(data)) if allowed_remote_exmods is KEEP else original(data, allowed_remote_exmods)

        rpc_common.deserialize_remote_exception = read


RAW_FAILURES = RawFailures()


def text_of(error: Exception) -> str:
    """Return the text of a failure; for an error that a transport raised itself, the text that oslo.messaging sends."""
    if isinstance(error, RawFailure):
        return error.text
    text: str = rpc_common.serialize_remote_exception((type(error), error, error.__traceback__))
    return text
