"""The managers of one neighbor, as they answered a ping to all of them, and the contradictions between their answers.

Two managers of one host name take each other's answers.  Managers of one cell read the same rows of neighbors; if two
of them do not, two cells have one name and one virtual host, or one manager reads another database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cells.path import MAX_NAME_LENGTH

#: Key of an answer to ping: the digest of the registered neighbors.
ROWS = "rows"
#: Managers of one cell may read different rows for so long: each reads a change at its next [cells] db_check_interval.
DIFFERENT_SECONDS = 300.0


@dataclass
class Managers:
    """Answers of the managers of one neighbor.  Times are seconds of the monotonic clock."""

    #: the name of a host that two managers have; None: each has a name of its own
    twin_host: str | None = None
    #: the hosts of two managers with different neighbors; None: all have the same
    apart: tuple[str, str] | None = None
    _apart_since: float | None = None
    #: host -> process id and digest of the rows, of the managers that have answered the latest ping
    _answered: dict[str, tuple[object, object]] = field(default_factory=dict)
    _has_twins: bool = False
    _is_apart: bool = False

    def begin(self) -> None:
        """Note a ping to all managers; a contradiction that was not seen since the last one is over."""
        if not self._has_twins:
            self.twin_host = None
        if not self._is_apart:
            self.apart = self._apart_since = None
        self._has_twins = self._is_apart = False
        self._answered = {}

    def answer(self, description: Mapping[str, Any], now: float) -> None:
        """Note the answer of a manager to the latest ping."""
        host, process, rows = (
            str(description.get("host"))[:MAX_NAME_LENGTH],
            description.get("pid"),
            description.get(ROWS),
        )
        known_process, _ = self._answered.setdefault(host, (process, rows))
        if known_process != process:
            self._has_twins, self.twin_host = True, host
        other = next((name for name, (_, theirs) in self._answered.items() if rows and theirs and theirs != rows), None)
        if other is not None:
            self._is_apart, self.apart = True, (other, host)
            self._apart_since = now if self._apart_since is None else self._apart_since

    def are_apart(self, now: float) -> bool:
        """Return whether two managers have had different neighbors for longer than a change of rows takes."""
        return self._apart_since is not None and now - self._apart_since > DIFFERENT_SECONDS
