"""Which services, and which of their methods, other cells may call: [cells] allowed_services."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from cells import exceptions
from cells.services.request import ServiceRequest


class AllowedServices:
    """A list of patterns ``[EXCHANGE/]TOPIC[:[NAMESPACE.]METHOD]`` with the wildcards of file names.

    ``*`` for a method is any, in any namespace; no other wildcard leads into a namespace.
    Without an exchange it is that of the manager: a message makes the exchange that it names.
    """

    def __init__(self, patterns: Iterable[str], exchange: str, own_topics: Iterable[str] = ()) -> None:
        """:param exchange: the manager's ``control_exchange``
        :param own_topics: of the manager itself: they, and those below them, are never allowed
        :raises cells.exceptions.ConfigurationError: a pattern cannot be meant
        """
        self._patterns = [_compiled(pattern, exchange) for pattern in patterns]
        self._exchange = exchange
        self._own_topics = tuple(own_topics)

    def check(self, request: ServiceRequest, cell_name: str) -> None:
        """:raises cells.exceptions.ServiceNotAllowed: other cells may not call that"""
        # RabbitMQ gives what is for the server "b" of the topic "a" the address of a topic "a.b".
        address = f"{request.topic}.{request.server}" if request.server else request.topic
        is_own = any(address == topic or address.startswith(f"{topic}.") for topic in self._own_topics)
        exchange = request.exchange or self._exchange
        names = (exchange, request.topic, request.namespace or "", request.method)
        if not is_own and any(_matches(pattern, names) for pattern in self._patterns):
            return
        advice = (
            "its manager's own topics are for its own services."
            if is_own
            else "its operator can allow it with [cells] allowed_services = "
            f"{'' if exchange == self._exchange else f'{exchange}/'}{request}."
        )
        raise exceptions.ServiceNotAllowed(
            f"Cell {cell_name} lets no other cell call {request!s:.200}: {advice}", cell=cell_name
        )


#: Of exchange, topic, namespace and method.  One each: a name may hold what stands between them in a text.
_Pattern = tuple[re.Pattern[str], ...]


def _matches(pattern: _Pattern, names: tuple[str, ...]) -> bool:
    return all(part.fullmatch(name) for part, name in zip(pattern, names, strict=True))


def _compiled(pattern: str, own_exchange: str) -> _Pattern:
    exchange, slash, rest = pattern.strip().rpartition("/")
    topic, colon, method = rest.partition(":")
    # What was begun and not ended must not allow more than was meant, and blanks do not separate two entries.
    if not topic or (slash and not exchange) or (colon and not method) or len(pattern.split()) != 1:
        raise exceptions.ConfigurationError(
            f"[cells] allowed_services: {pattern!r} is no pattern like TOPIC, TOPIC:METHOD or EXCHANGE/TOPIC:METHOD, "
            "with commas between several."
        )
    namespace, dot, method = (method or "*").rpartition(".")
    in_namespace = ".*" if method == "*" else ""
    if dot:
        # An empty name, which stands for none, is not in a namespace of any name.
        in_namespace = "(?=.)" + fnmatch.translate(namespace)
    in_exchange = fnmatch.translate(exchange) if slash else re.escape(own_exchange)
    return tuple(
        re.compile(part) for part in (in_exchange, fnmatch.translate(topic), in_namespace, fnmatch.translate(method))
    )
