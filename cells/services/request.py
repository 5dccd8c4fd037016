"""ServiceRequest: what a service of one cell wants of a service of another.

It names a topic, and what oslo.messaging's Target names beside it; the message is
the one that an oslo.messaging server reads, in an envelope that relays do not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cells import exceptions
from cells.deadlines import LONGEST_SECONDS
from cells.services import envelope

T = TypeVar("T")

#: The longest name that RabbitMQ has room for.
MAX_NAME_BYTES = 255
#: Names of arguments that oslo.messaging's own call() and cast() have.
RESERVED = frozenset({"self", "ctxt", "method"})


@dataclass(frozen=True)
class ServiceRequest:
    """A method of a service, with its arguments."""

    topic: str
    method: str
    #: name -> value as JSON, serialized by the caller's serializer
    args: Mapping[str, Any] = field(default_factory=dict)
    exchange: str | None = None
    namespace: str | None = None
    version: str | None = None
    server: str | None = None
    fanout: bool = False
    #: the caller gives up when for so many seconds nobody said that the method still runs
    monitor_seconds: float | None = None
    #: that nobody takes it is an error, where the broker can tell
    at_least_once: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as they travel.

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
                f"The arguments of {self}: {error.message} A serializer of the client can make something of them.",
                method=self.method,
            ) from error

    @classmethod
    def from_dict(cls, data: object) -> ServiceRequest:
        """Read what :meth:`to_dict` gave; unknown keys are ignored.

        :raises cells.exceptions.MalformedMessage: a key is missing or has a wrong type
        :raises cells.exceptions.UnsupportedRpcEnvelopeVersion: its envelope cannot be read here
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
        """``monitor_seconds`` of what :meth:`to_dict` gave, for those on the way who do not open the rest.

        :raises cells.exceptions.MalformedMessage: it has a wrong type
        """
        return _seconds(data.get("monitor_seconds"))

    @staticmethod
    def topic_of(data: Mapping[str, Any]) -> str:
        """The topic of what :meth:`to_dict` gave, for the logs of those who do not open the rest; "" if it has none."""
        target = data.get("target")
        topic = target.get("topic") if isinstance(target, dict) else None
        return topic[:MAX_NAME_BYTES] if isinstance(topic, str) and topic.isprintable() else ""

    @property
    def message(self) -> dict[str, Any]:
        """As a server of oslo.messaging reads it."""
        named = {"namespace": self.namespace, "version": self.version}
        return {
            "method": self.method,
            "args": dict(self.args),
            **{key: value for key, value in named.items() if value is not None},
        }

    @property
    def qualified_method(self) -> str:
        """The method with its namespace, as allow-lists name it: ``admin.delete``."""
        return f"{self.namespace}.{self.method}" if self.namespace else self.method

    def __str__(self) -> str:
        """As errors and logs name it: ``inventory:count``."""
        return f"{self.topic}:{self.qualified_method}"


def _want(value: object, kind: type[T], key: str) -> T:
    if not isinstance(value, kind):
        raise exceptions.MalformedMessage(
            f"{key!r} of a request to a service must be of type {kind.__name__}, not {type(value).__name__}."
        )
    return value


def _name(data: Mapping[str, Any], key: str, *, is_optional: bool = False) -> Any:
    """A text that can be the name of a queue and stand in a line of a log; None if it may be left out and is."""
    value = data.get(key)
    if value is None and is_optional:
        return None
    if not isinstance(value, str) or not value or not value.isprintable() or len(value.encode()) > MAX_NAME_BYTES:
        raise exceptions.MalformedMessage(
            f"{key!r} of a request to a service must be a text of 1 to {MAX_NAME_BYTES} printable characters, "
            f"not {value!a:.60}."
        )
    return value


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_SECONDS:
        raise exceptions.MalformedMessage(
            "'monitor_seconds' of a request to a service must be a number over 0, "
            f"at most {LONGEST_SECONDS:.0f}, not {value!a:.40}."
        )
    return float(value)
