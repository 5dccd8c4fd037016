"""Samples of a manager for ``cells watch``: its links and queues, and the rates of its counters.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_STATUS_KEYS = ("name", "host", "version", "release", "pending_calls")
_LINK_KEYS = (
    *("name", "is_parent", "driver", "state", "since_seconds", "round_trip_seconds", "in_flight", "lost"),
    *("spoken", "problem"),
)


@dataclass(frozen=True)
class Sample:
    """State of one manager at one moment."""

    #: name, host, version, release, pending_calls
    manager: Mapping[str, Any] = field(default_factory=dict)
    #: one object for each neighbor, as :meth:`cells.rpcapi.CellsAPI.neighbors` describes it
    links: Sequence[Mapping[str, Any]] = ()
    #: counter -> events per second; empty: the manager has answered for the first time
    rates: Mapping[str, float] = field(default_factory=dict)
    #: name -> state that a link had in the last sample
    before: Mapping[str, str] = field(default_factory=dict)
    #: why the manager has not answered; then all other values are those of its last answer
    error: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether the manager has answered, and all links are up without a problem."""
        return self.error is None and all(link["state"] == "up" and not link["problem"] for link in self.links)

    def as_dict(self) -> dict[str, Any]:
        """Return the sample for JSON."""
        return {
            "manager": dict(self.manager),
            "rates": dict(self.rates),
            "links": [dict(link) for link in self.links],
            "error": self.error,
        }


class Rates:
    """Maker of samples, which keeps the last counts of each manager of the cell."""

    def __init__(self) -> None:
        #: host and process -> (when it answered, counter -> count)
        self._counts: dict[tuple[Any, Any], tuple[float, Mapping[str, int]]] = {}
        self._last = Sample()

    def sample(self, status: Mapping[str, Any], neighbors: Sequence[Mapping[str, Any]], now: float) -> Sample:
        """Return a sample of the answers of a manager.

        :param now: seconds of the monotonic clock
        """
        # The counters of a manager that has started again begin at zero.
        process = status.get("host"), status.get("pid")
        counts = status.get("counters") or {}
        before_at, before = self._counts.get(process, (now, {}))
        if any(count < before.get(name, 0) for name, count in counts.items()):
            # In a container, each process has the same number.
            before_at = now
        self._counts[process] = now, counts
        seconds = now - before_at
        rates = {name: (count - before.get(name, 0)) / seconds for name, count in counts.items()} if seconds > 0 else {}
        self._last = Sample(
            {key: status.get(key) for key in _STATUS_KEYS},
            [{key: neighbor.get(key) for key in _LINK_KEYS} for neighbor in neighbors],
            rates,
            self._states(),
        )
        return self._last

    def failed(self, error: str) -> Sample:
        """Return the last sample with the error of the manager."""
        return Sample(self._last.manager, self._last.links, {}, self._states(), error)

    def _states(self) -> dict[str, str]:
        return {link["name"]: link["state"] for link in self._last.links}
