"""RequestContext: user, project and roles of a request; travels with each message.

Relays forward the context as the dict that arrived and do not read it.  It becomes an object only
where an endpoint runs, so keys that this release does not know are kept, at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oslo_context import context
from oslo_utils import timeutils


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
        # The thread's current context belongs to the service, not to a message.
        kwargs.setdefault("overwrite", False)
        super().__init__(*args, **kwargs)
        self.read_deleted = read_deleted
        self.remote_address = remote_address
        self.timestamp = timestamp or timeutils.utcnow().isoformat()
        self.quota_class = quota_class
        self.service_catalog = service_catalog or []
        self.extra = dict(extra or {})

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


def get_admin_context() -> RequestContext:
    """Return the context for actions that a service starts itself."""
    return RequestContext(is_admin=True)


_KEYS = frozenset(get_admin_context().to_dict()) | {"project_domain_name", "user_domain_name", "domain_name"}
