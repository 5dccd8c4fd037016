"""RequestContext: user, project and roles of a request; travels with each message.

Relays forward the context as the dict that arrived and do not read it.  It becomes an object only
where an endpoint runs, so keys that this release does not know are kept, at no cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oslo_context import context
from oslo_utils import timeutils

from cells import printable


class RequestContext(context.RequestContext):
    """oslo.context's RequestContext with the keys that Nova's services add.

    ``extra`` contains the unknown keys of :meth:`from_dict`; :meth:`to_dict` returns them unchanged.
    """

    def __init__(
        self,
        *args: Any,
        read_deleted: str = "no",
        remote_address: str | None = None,
        timestamp: str | None = None,
        quota_class: str | None = None,
        service_catalog: list[Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        # The thread's current context belongs to the service, not to a message.  Also without "overwrite", oslo.context
        # makes the first context of a thread its current one, and all later log records have its request id.
        self._is_stored = kwargs.setdefault("overwrite", False)
        super().__init__(*args, **kwargs)
        self._is_stored = True
        self.read_deleted = read_deleted
        self.remote_address = remote_address
        self.timestamp = timestamp or timeutils.utcnow().isoformat()
        self.quota_class = quota_class
        self.service_catalog = service_catalog or []
        self.extra = dict(extra or {})

    def update_store(self) -> None:
        """Make this the current context of the thread."""
        if self._is_stored:
            super().update_store()

    def get_logging_values(self) -> dict[str, Any]:
        """Return the values for log records, each of them a short line; called by oslo.log.

        Only known keys: a record has attributes of their names, and the context may come from another cell.
        """
        return _for_log(
            {**self.to_dict(), "user_domain": self.user_domain_id, "project_domain": self.project_domain_id}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the context as JSON values, with the keys that Nova's services expect."""
        return {
            **super().to_dict(),
            "tenant": self.project_id,
            "user_id": self.user_id,
            "project_id": self.project_id,
            "read_deleted": self.read_deleted,
            "remote_address": self.remote_address,
            "timestamp": self.timestamp,
            "quota_class": self.quota_class,
            "user_name": self.user_name,
            "service_catalog": self.service_catalog,
            "project_name": self.project_name,
            **self.extra,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **kwargs: Any) -> RequestContext:
        """Rebuild a context; ``extra`` keeps the unknown keys.

        User and project may have any of the keys of :meth:`to_dict`; ``user`` and
        ``project_id``, which oslo.context reads, take precedence.
        """
        known = set(_KEYS)
        own = {name: values[name] for name in _OWN_KEYS if values.get(name) is not None}
        extra = {name: value for name, value in values.items() if name not in known}
        for name, aliases in _ALIASES.items():
            own[name] = next((values[alias] for alias in aliases if values.get(alias) is not None), None)
        built: RequestContext = super().from_dict(dict(values), **{**own, "extra": extra, **kwargs})
        return built


_OWN_KEYS = ("read_deleted", "remote_address", "timestamp", "quota_class", "service_catalog")
#: Keys of to_dict with the same value; services of other releases may send only some of them.
_ALIASES = {"user_id": ("user", "user_id"), "project_id": ("project_id", "tenant", "project")}
#: Names in log records, with the keys that may have their value.
_SHOWN = (("user", _ALIASES["user_id"]), ("project", _ALIASES["project_id"]))


#: Keys of a context that log records may show.
_LOGGED_KEYS = (
    *("request_id", "global_request_id", "user", "user_id", "user_name", "project", "project_id", "project_name"),
    *("tenant", "domain", "system_scope", "user_domain", "project_domain", "resource_uuid"),
)
#: Longest value in a log record.
_LOGGED_LENGTH = 100


def _for_log(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        name: printable.line(str(values[name]), _LOGGED_LENGTH) for name in _LOGGED_KEYS if values.get(name) is not None
    }
    return {"global_request_id": None, **found} if "request_id" in found else found


class MessageContext(RequestContext):
    """The context of a message for log records and for the thread that runs it.

    It costs nothing until a record is written, or an endpoint reads the current context of its thread.
    """

    def __init__(self, values: Callable[[], Mapping[str, Any]]) -> None:
        """:param values: returns the context as it came; must not raise"""
        self._values = values
        self._is_stored = True

    def __getattr__(self, name: str) -> Any:
        """Read the values at the first use; called by Python for each attribute that is missing."""
        own = vars(self)
        if "roles" not in own and "_values" in own and not name.startswith("__"):
            own.update({**vars(RequestContext.from_dict(self._values())), **own})
        try:
            return own[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None

    def get_logging_values(self) -> dict[str, Any]:
        """Return the values for log records; a context without a request id gets none."""
        values = self._values()
        own = {name: next((values[key] for key in keys if values.get(key) is not None), None) for name, keys in _SHOWN}
        return _for_log({**values, **own})


class _NoContext(RequestContext):
    """Stands for no current context, because oslo.context cannot forget the last one."""

    def __init__(self) -> None:
        self._is_stored = True

    def __bool__(self) -> bool:
        return False


_NO_CONTEXT = _NoContext()


class Current:
    """Context manager: while it is open, ``values`` are the current context of this thread, also for log records."""

    __slots__ = ("_before", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __enter__(self) -> None:
        self._before = context.get_current()
        MessageContext(lambda: self._values).update_store()

    def __exit__(self, *_: object) -> None:
        (self._before or _NO_CONTEXT).update_store()


def get_admin_context() -> RequestContext:
    """Return the context for actions that a service starts itself."""
    return RequestContext(is_admin=True)


_KEYS = frozenset(get_admin_context().to_dict()) | {"project_domain_name", "user_domain_name", "domain_name"}
