"""Errors of services, kept as the text that they came as.

A client of oslo.messaging gets an exception: rebuilt, which needs its class, or as a
RemoteError, which has lost the module and the arguments.  A manager passes failures on
to cells that may know classes that it does not, so it must do neither.  There is no
option for that, so the function that reads failures is replaced by one that leaves
them as they are, for those transports alone that were opened with :data:`KEEP`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

from oslo_messaging._drivers import common as rpc_common


class RawFailure(Exception):  # it stands for one, and is never seen by a user
    """Raised by a call over a transport that keeps failures."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class _Keep(Collection[str]):
    """A list of modules that names none."""

    def __contains__(self, module: object) -> bool:
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        """A driver replaces an empty list by another one."""
        return True


#: For ``allowed_remote_exmods`` of a transport.
KEEP = _Keep()

_lock = threading.Lock()
_original: Callable[[Any, Any], Exception] | None = None


def install() -> None:
    """Have transports that were opened with :data:`KEEP` raise RawFailure.  May be called twice."""
    global _original  # noqa: PLW0603  # one per process, as what it replaces
    with _lock:
        if _original is None:
            _original = rpc_common.deserialize_remote_exception
            rpc_common.deserialize_remote_exception = _read


def _read(data: Any, allowed_remote_exmods: Any) -> Exception:
    if allowed_remote_exmods is KEEP:
        return RawFailure(str(data))
    assert _original is not None  # noqa: S101  # it was called
    return _original(data, allowed_remote_exmods)


def text_of(error: Exception) -> str:
    """The text of a failure; of an error that a transport has raised as an object, what oslo.messaging would send."""
    if isinstance(error, RawFailure):
        return error.text
    text: str = rpc_common.serialize_remote_exception((type(error), error, error.__traceback__))
    return text
