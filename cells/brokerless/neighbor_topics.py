"""NeighborTopics: the topics that a cell with a registered key reaches.

All processes of a cell have one key, and the keys of other cells are registered.  So the key of a peer tells whether
the peer is a service of this cell, which reaches every topic, or a neighbor, which needs only its managers.
"""

from __future__ import annotations

import fnmatch
import functools
import logging
import time
from collections.abc import Callable, Sequence

from cells.brokerless import routing_keys

LOG = logging.getLogger(__name__)

#: minimum time between two lines about refused messages
INTERVAL_SECONDS = 60.0


class NeighborTopics:
    """The patterns of ``[oslo_messaging_zmq] neighbor_topics``.  Not thread-safe: the server has one reader.

    :param clock: monotonic time in seconds
    """

    def __init__(self, patterns: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at = float("-inf")
        self._refused = 0
        self._matches = functools.lru_cache(maxsize=1000)(
            lambda topic: any(fnmatch.fnmatchcase(topic, pattern) for pattern in patterns)
        )

    def include(self, key: str) -> bool:
        """Return whether a neighbor may send to a routing key, and log a refusal at most once a minute."""
        topic = routing_keys.topic_of(key)
        if self._matches(topic):
            return True
        self._refused += 1
        now = self._clock()
        if now - self._logged_at >= INTERVAL_SECONDS:
            LOG.warning(
                "%d messages of neighbors were refused, the last one for the topic %.80a: the key of a neighbor "
                "reaches only the topics of [oslo_messaging_zmq] neighbor_topics.",
                self._refused,
                topic,
            )
            self._logged_at, self._refused = now, 0
        return False
