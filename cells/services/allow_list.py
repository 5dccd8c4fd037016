"""Allow-list of the services and methods that other cells may call: [cells] allowed_services."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from cells import exceptions
from cells.services.request import ServiceRequest


class AllowedServices:
    """List of patterns ``[EXCHANGE/]TOPIC[:[NAMESPACE.]METHOD]`` with the wildcards of file names.  Thread-safe.

    The method ``*`` matches any method in any namespace; other wildcards match within one namespace only.
    A pattern without an exchange matches only the manager's own: a caller cannot reach the other exchanges of the
    broker, nor declare new ones.
    """

    def __init__(self, patterns: Iterable[str], exchange: str, own_topics: Iterable[str] = ()) -> None:
        """:param exchange: the manager's ``control_exchange``
        :param own_topics: topics of the manager: no pattern allows them or the topics below them
        :raises cells.exceptions.ConfigurationError: a pattern is incomplete or contains blanks
        """
        self._exchange = exchange
        self.replace(patterns)
        self._own_topics = tuple(own_topics)

    def replace(self, patterns: Iterable[str]) -> None:
        """Allow what ``patterns`` allow, and nothing else, from the next check on.

        :raises cells.exceptions.ConfigurationError: as the constructor; the list stays as it is
        """
        self._patterns = [_compiled(pattern, self._exchange) for pattern in patterns]

    def check(self, request: ServiceRequest, cell_name: str) -> None:
        """:raises cells.exceptions.ServiceNotAllowed: no pattern allows ``request``"""
        # On RabbitMQ the server "b" of the topic "a" has the address of a topic "a.b".
        address = f"{request.topic}.{request.server}" if request.server else request.topic
        is_own = any(address == topic or address.startswith(f"{topic}.") for topic in self._own_topics)
        exchange = request.exchange or self._exchange
        names = (exchange, request.topic, request.namespace or "", request.method)
        if not is_own and any(_matches(pattern, names) for pattern in self._patterns):
            return
        advice = (
            "the topics of its manager are for its own services only."
            if is_own
            else "its operator can allow that call with [cells] allowed_services = "
            f"{'' if exchange == self._exchange else f'{exchange}/'}{request}."
        )
        raise exceptions.ServiceNotAllowed(
            f"Cell {cell_name} does not let other cells call {request!s:.200}: {advice}", cell=cell_name
        )


#: Patterns of exchange, topic, namespace and method.  Four patterns, because a name may contain the separators.
_Pattern = tuple[re.Pattern[str], ...]


def _matches(pattern: _Pattern, names: tuple[str, ...]) -> bool:
    return all(part.fullmatch(name) for part, name in zip(pattern, names, strict=True))


def _compiled(pattern: str, own_exchange: str) -> _Pattern:
    exchange, slash, rest = pattern.strip().rpartition("/")
    topic, colon, method = rest.partition(":")
    # An incomplete pattern must not allow more than the operator meant, and blanks do not separate two patterns.
    if not topic or (slash and not exchange) or (colon and not method) or len(pattern.split()) != 1:
        raise exceptions.ConfigurationError(
            f"[cells] allowed_services: {pattern!r} is no pattern like TOPIC, TOPIC:METHOD or EXCHANGE/TOPIC:METHOD; "
            "separate patterns with commas."
        )
    namespace, dot, method = (method or "*").rpartition(".")
    in_namespace = ".*" if method == "*" else ""
    if dot:
        # The empty name stands for "no namespace": a pattern with a namespace must not match it.
        in_namespace = "(?=.)" + fnmatch.translate(namespace)
    in_exchange = fnmatch.translate(exchange) if slash else re.escape(own_exchange)
    return tuple(
        re.compile(part) for part in (in_exchange, fnmatch.translate(topic), in_namespace, fnmatch.translate(method))
    )
