"""What a server is found under: exchange, topic and server name as one text.

The MatchMaker tells the kinds of keys apart by a dot and by a prefix, so the dots
of a topic are encoded.  The driver makes the keys, of an ``oslo_messaging.Target``.
"""

from __future__ import annotations

import urllib.parse

FANOUT_PREFIX = "fanout~"
NOTIFICATION_PREFIX = "notify~"


def topic_key(exchange: str, topic: str) -> str:
    """Of all servers of a topic; a message for it goes to one of them."""
    exchange = _quote(exchange)
    if f"{exchange}~" in (FANOUT_PREFIX, NOTIFICATION_PREFIX):
        # An exchange of that name is none of these kinds of keys.
        exchange = f"%{ord(exchange[0]):02X}{exchange[1:]}"
    return f"{exchange}~{_quote(topic)}"


def direct_key(exchange: str, topic: str, server: str) -> str:
    """Of one server of a topic."""
    return f"{topic_key(exchange, topic)}.{_quote(server)}"


def fanout_key(exchange: str, topic: str) -> str:
    """Of all servers of a topic; a message for it goes to each of them."""
    return FANOUT_PREFIX + topic_key(exchange, topic)


def notification_key(exchange: str, topic: str) -> str:
    """Of all listeners of a topic with its priority; a message goes to one listener of each pool."""
    return NOTIFICATION_PREFIX + topic_key(exchange, topic)


def is_fanout(key: str) -> bool:
    """Whether a message for ``key`` goes to each server."""
    return key.startswith(FANOUT_PREFIX)


def without_fanout(key: str) -> str:
    """The key under which the servers are that a fan-out reaches."""
    return key.removeprefix(FANOUT_PREFIX)


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
