"""Routing keys: exchange, topic and server name as one text, under which servers are found.

The MatchMaker distinguishes the kinds of keys by a dot and by a prefix, so dots in a topic
are encoded.  The driver creates the keys from an ``oslo_messaging.Target``.
"""

from __future__ import annotations

import urllib.parse

FANOUT_PREFIX = "fanout~"
NOTIFICATION_PREFIX = "notify~"


def topic_key(exchange: str, topic: str) -> str:
    """Return the key of all servers of a topic; a message for the key goes to one of them."""
    exchange = _quote(exchange)
    if f"{exchange}~" in (FANOUT_PREFIX, NOTIFICATION_PREFIX):
        # An exchange with the name of a prefix must not look like that prefix.
        exchange = f"%{ord(exchange[0]):02X}{exchange[1:]}"
    return f"{exchange}~{_quote(topic)}"


def direct_key(exchange: str, topic: str, server: str) -> str:
    """Return the key of one server of a topic."""
    return f"{topic_key(exchange, topic)}.{_quote(server)}"


def fanout_key(exchange: str, topic: str) -> str:
    """Return the key of all servers of a topic; a message for the key goes to each of them."""
    return FANOUT_PREFIX + topic_key(exchange, topic)


def notification_key(exchange: str, topic: str) -> str:
    """Return the key of a notification topic with its priority; a message goes to one listener of each pool."""
    return NOTIFICATION_PREFIX + topic_key(exchange, topic)


def is_fanout(key: str) -> bool:
    """Return whether a message for ``key`` goes to each server."""
    return key.startswith(FANOUT_PREFIX)


def without_fanout(key: str) -> str:
    """Return the key under which the servers of a fan-out key register."""
    return key.removeprefix(FANOUT_PREFIX)


def topic_of(key: str) -> str:
    """Return the topic of a key of any kind."""
    return urllib.parse.unquote(key.rpartition("~")[2].partition(".")[0])


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
