"""CommonRpcContext: who asks, as the consumers of :class:`cells.rpc.Connection` are told.

It holds whatever the caller's context held, and gives all of it back: a service
that passes it on loses nothing that it does not know.
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
    """The keys of a context as attributes: ``context.user_id``.

    ``values`` is the dictionary of all of them.  Nothing is said about which there are:
    an attribute that the caller's context lacks is an AttributeError.
    """

    def __init__(self, /, **values: Any) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        # Not self.values: copies are asked for attributes before they have any.
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"The context of this message has no {name!r}.") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommonRpcContext) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]  # its values may change

    def __repr__(self) -> str:
        """Its keys alone: some values are secrets, and this ends up in logs."""
        return f"<{type(self).__name__} with {', '.join(self.values) or 'nothing'}>"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A context of these keys and values."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All keys and values, as a copy that shares nothing with this context."""
        return copy.deepcopy(self.values)

    def deepcopy(self) -> Self:
        """A copy that shares nothing with this context."""
        return self.from_dict(self.to_dict())

    def elevated(self, read_deleted: str | None = None, overwrite: bool = False) -> Self:
        """A copy with the rights of an administrator.

        :param read_deleted: what its ``read_deleted`` shall be: ``"no"``, ``"yes"`` or ``"only"``; None: as here
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
        """Make it the current context of this thread, which :func:`current_context` gives."""
        _store.context = self


def current_context() -> CommonRpcContext | None:
    """The current context of this thread: while a consumer handles a message, that of the message."""
    return getattr(_store, "context", None)


@contextlib.contextmanager
def own_current() -> Iterator[None]:
    """Whatever becomes current in the block, the thread has afterwards the context that it had before."""
    before = current_context()
    try:
        yield
    finally:
        _store.context = before


def context_values(context: Any) -> dict[str, Any]:
    """Any kind of context as it travels.

    :raises cells.exceptions.InvalidArguments: it is no context
    """
    values = context.to_dict() if hasattr(context, "to_dict") else context
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise exceptions.InvalidArguments(
            "The context must be a dict with texts as keys, a CommonRpcContext, or another object with to_dict(), "
            f"not {type(context).__name__}."
        )
    return dict(values)


class ContextSerializer(oslo_messaging.NoOpSerializer):  # type: ignore[misc]  # oslo.messaging has no types
    """For a server: gives a CommonRpcContext to each method, which is the current one of its thread."""

    def deserialize_context(self, context: Mapping[str, Any]) -> CommonRpcContext:
        read = CommonRpcContext.from_dict(context)
        read.update_store()
        return read
