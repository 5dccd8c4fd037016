"""ServiceRequest: a call, cast or event from a service of one cell to a service of another.

A request names a topic and the other fields of oslo.messaging's Target.  Its message has the form
that an oslo.messaging server reads, in an envelope that relays do not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cells import exceptions
from cells.deadlines import want_timeout
from cells.services import envelope
from cells.services.validation import MAX_NAME_BYTES, want, want_name

#: Names of the arguments of oslo.messaging's own call() and cast().
RESERVED = frozenset({"self", "ctxt", "method"})
#: Key that a client adds to the request of a broadcast for its manager: how long it waits for the answer.  Managers of
#: older releases have no argument for it, and ignore unknown keys of a request.
WAIT_SECONDS = "wait_seconds"


@dataclass(frozen=True)
class ServiceRequest:
    """A method of a service, with its arguments."""

    topic: str
    method: str
    #: name -> JSON value, from the caller's serializer
    args: Mapping[str, Any] = field(default_factory=dict)
    exchange: str | None = None
    namespace: str | None = None
    version: str | None = None
    server: str | None = None
    fanout: bool = False
    #: the caller gives up after so many seconds without a heartbeat; None: the call is not monitored
    monitor_seconds: float | None = None
    #: a topic without a server is an error, if the broker can tell
    at_least_once: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON values that travel.

        :raises cells.exceptions.InvalidArguments: an argument has no JSON form
        """
        target = {key: getattr(self, key) for key in ("topic", "exchange", "server", "fanout") if getattr(self, key)}
        return {
            "target": target,
            **{key: getattr(self, key) for key in ("monitor_seconds", "at_least_once") if getattr(self, key)},
            "message": self._enveloped(),
        }

    def _enveloped(self) -> dict[str, str]:
        try:
            return envelope.serialize_msg(self.message)
        except exceptions.InvalidArguments as error:
            raise exceptions.InvalidArguments(
                f"The arguments of {self}: {error.message} Give the client a serializer for such arguments.",
                method=self.method,
            ) from error

    @classmethod
    def from_dict(cls, data: object) -> ServiceRequest:
        """Read a result of :meth:`to_dict`; unknown keys are ignored.

        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        :raises cells.exceptions.UnsupportedRpcEnvelopeVersion: this release cannot read the envelope
        """
        request = _want(data, dict, "request")
        target = _want(request.get("target"), dict, "target")
        message = _want(envelope.deserialize_msg(request.get("message")), dict, "message")
        return cls(
            topic=_name(target, "topic"),
            method=_name(message, "method"),
            args=_want(message.get("args", {}), dict, "args"),
            exchange=_name(target, "exchange", is_optional=True),
            namespace=_name(message, "namespace", is_optional=True),
            version=_name(message, "version", is_optional=True),
            server=_name(target, "server", is_optional=True),
            fanout=_want(target.get("fanout", False), bool, "fanout"),
            monitor_seconds=cls.monitor_of(request),
            at_least_once=_want(request.get("at_least_once", False), bool, "at_least_once"),
        )

    @staticmethod
    def monitor_of(data: Mapping[str, Any]) -> float | None:
        """Return ``monitor_seconds`` of a result of :meth:`to_dict`, for relays, which do not read the rest.

        :raises cells.exceptions.MalformedMessage: ``monitor_seconds`` has a wrong type or value
        """
        seconds = data.get("monitor_seconds")
        if seconds is None:
            return None
        return want_timeout(seconds, "monitor_seconds", exceptions.MalformedMessage)

    @staticmethod
    def topic_of(data: Mapping[str, Any]) -> str:
        """Return the topic of a result of :meth:`to_dict`, for the logs of relays; "" if there is none."""
        target = data.get("target")
        topic = target.get("topic") if isinstance(target, dict) else None
        return topic[:MAX_NAME_BYTES] if isinstance(topic, str) and topic.isprintable() else ""

    @property
    def message(self) -> dict[str, Any]:
        """The message in the form that an oslo.messaging server reads."""
        named = {"namespace": self.namespace, "version": self.version}
        return {
            "method": self.method,
            "args": dict(self.args),
            **{key: value for key, value in named.items() if value is not None},
        }

    @property
    def qualified_method(self) -> str:
        """The method with its namespace, as in allow-lists: ``admin.delete``."""
        return f"{self.namespace}.{self.method}" if self.namespace else self.method

    def __str__(self) -> str:
        """Return topic and method, as in errors and logs: ``inventory:count``."""
        return f"{self.topic}:{self.qualified_method}"


#: As :func:`want`, of a message that was received.
_want = partial(want, refusal=exceptions.MalformedMessage)


def _name(data: Mapping[str, Any], key: str, *, is_optional: bool = False) -> Any:
    value = data.get(key)
    if value is None and is_optional:
        return None
    return want_name(value, key, exceptions.MalformedMessage)
