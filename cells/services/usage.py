"""How often other cells, and this cell, use each service of this cell through this manager."""

from __future__ import annotations

import fnmatch
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cells.services.request import ServiceRequest

#: What is counted, in the order in which it is shown.
EVENTS = ("calls", "casts", "failed", "timed_out", "unreachable", "refused")
#: Bound for the pairs of service and caller; a pattern of [cells] allowed_services can fit any topic.
MAX_PAIRS = 1000
#: Name of the service in place of one that no pattern allows: its name is of the caller's choice.
NOT_ALLOWED = "(not allowed)"
#: Names of the service and of the caller beyond the bound.
_OTHERS = ("(others)", "(others)")


@dataclass
class _Use:
    """Counts of one caller of one service."""

    events: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0


class ServiceUsage:
    """Counts of the requests to the services of this cell, since the start of this manager.  Thread-safe."""

    def __init__(
        self, patterns: Sequence[str], exchange: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """:param patterns: [cells] allowed_services
        :param exchange: the manager's ``control_exchange``
        """
        self._patterns = [pattern.strip() for pattern in patterns]
        self._exchange = exchange
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: dict[tuple[str, str], _Use] = {}

    def count(self, request: ServiceRequest, caller: str, event: str) -> None:
        """Count one of EVENTS.

        :param caller: the neighbor that delivered the request, or this cell
        """
        is_own = (request.exchange or self._exchange) == self._exchange
        topic = request.topic if is_own else f"{request.exchange}/{request.topic}"
        key = (NOT_ALLOWED if event == "refused" else topic), caller
        with self._lock:
            use = self._uses.get(key)
            if use is None:
                use = self._uses.setdefault(key if len(self._uses) < MAX_PAIRS else _OTHERS, _Use())
            use.events[event] += 1
            use.last_at = self._clock()

    def as_dict(self) -> dict[str, Any]:
        """Return the patterns as ``allowed``, those of them without a use as ``unused``, and the counts as ``uses``."""
        with self._lock:
            services = {service for service, _ in self._uses}
            unused = [pattern for pattern in self._patterns if not any(self._fits(pattern, one) for one in services)]
            return {"allowed": list(self._patterns), "unused": unused, "uses": list(self._counts())}

    def _fits(self, pattern: str, service: str) -> bool:
        """Return whether a pattern allows a method of a service."""
        wanted, found = (
            text if "/" in text else f"{self._exchange}/{text}" for text in (pattern.partition(":")[0], service)
        )
        return fnmatch.fnmatchcase(found, wanted)

    def _counts(self) -> Iterator[dict[str, Any]]:
        """Yield the counts, sorted.  The caller holds the lock."""
        now = self._clock()
        for (service, caller), use in sorted(self._uses.items()):
            counts = {event: use.events[event] for event in EVENTS}
            yield {"service": service, "caller": caller, **counts, "last_seconds": round(now - use.last_at, 3)}
