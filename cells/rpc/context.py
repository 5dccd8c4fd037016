"""CommonRpcContext: the context of a caller, as the consumers of :class:`cells.rpc.Connection` get it.

It holds all keys of the caller's context and returns all of them: a service that passes it
on also passes on the keys that it does not know.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import oslo_messaging

from cells import exceptions

if TYPE_CHECKING:
    from typing_extensions import Self

_store = threading.local()


class CommonRpcContext:
    """Context whose keys are attributes: ``context.user_id``.

    ``values`` is the dictionary of all keys, which depend on the caller: an attribute that
    the caller's context lacks raises AttributeError.
    """

    def __init__(self, /, **values: Any) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        # Not self.values: the copy module reads attributes of an instance that has none yet.
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"The context of this message has no {name!r}.") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommonRpcContext) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]  # its values may change

    def __repr__(self) -> str:
        """Return the keys alone: some values are secrets, and the text may go to a log."""
        return f"<{type(self).__name__} with {', '.join(self.values) or 'nothing'}>"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return a context of these keys and values."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return all keys and values, as a deep copy."""
        return copy.deepcopy(self.values)

    def deepcopy(self) -> Self:
        """Return a deep copy."""
        return self.from_dict(self.to_dict())

    def elevated(self, read_deleted: str | None = None, overwrite: bool = False) -> Self:
        """Return a copy with the rights of an administrator.

        :param read_deleted: the ``read_deleted`` of the copy: ``"no"``, ``"yes"`` or ``"only"``; None: unchanged
        :param overwrite: make the copy the current context of this thread
        """
        context = self.deepcopy()
        roles = list(context.values.get("roles") or [])
        context.values.update(is_admin=True, roles=roles if "admin" in roles else [*roles, "admin"])
        if read_deleted is not None:
            context.values["read_deleted"] = read_deleted
        if overwrite:
            context.update_store()
        return context

    def update_store(self) -> None:
        """Make it the current context of this thread, which :func:`current_context` returns."""
        _store.context = self


def current_context() -> CommonRpcContext | None:
    """Return the current context of this thread: while a consumer handles a message, the context of the message."""
    return getattr(_store, "context", None)


@contextlib.contextmanager
def own_current() -> Iterator[None]:
    """Restore the current context of the thread after the block."""
    before = current_context()
    try:
        yield
    finally:
        _store.context = before


def context_values(context: Any) -> dict[str, Any]:
    """Return a context of any kind in the form that travels.

    :raises cells.exceptions.InvalidArguments: ``context`` is not a context
    """
    values = context.to_dict() if hasattr(context, "to_dict") else context
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise exceptions.InvalidArguments(
            "The context must be a dict with strings as keys, a CommonRpcContext, or another object with to_dict(), "
            f"not {type(context).__name__}."
        )
    return dict(values)


class ContextSerializer(oslo_messaging.NoOpSerializer):  # type: ignore[misc]  # oslo.messaging has no types
    """Serializer of a server: each method gets a CommonRpcContext, the current context of its thread."""

    def deserialize_context(self, context: Mapping[str, Any]) -> CommonRpcContext:
        read = CommonRpcContext.from_dict(context)
        read.update_store()
        return read
