"""Heard: the state of one neighbor, as its messages and the drivers have reported it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cells.neighbors.managers import Managers
from cells.neighbors.probe import Probe


@dataclass
class Heard:
    """State that one neighbor has reported.  Times are seconds of the monotonic clock."""

    registered_at: float
    last_seen_at: float | None = None
    is_reachable: bool = True
    #: "connected", "reconnecting" or "down"; empty: the driver does not know it
    link_state: str = ""
    capabilities: Mapping[str, list[str]] = field(default_factory=dict)
    capacities: Mapping[str, Any] = field(default_factory=dict)
    #: the neighbor's latest answer to a ping: path, version, subtree
    description: Mapping[str, Any] = field(default_factory=dict)
    #: whether the neighbor has answered that it has no method ping: a cell of Nova
    has_no_ping: bool = False
    #: the last known path of a parent that has not announced its path yet since it, or this manager, was started
    last_path: object = None
    #: host of each manager of the neighbor -> (version that it reads, time of its answer)
    versions: dict[str, tuple[str, float]] = field(default_factory=dict)
    #: the lowest of these versions; None: no manager has answered yet
    version: str | None = None
    probe: Probe = field(default_factory=Probe)
    #: when the neighbor pinged this cell
    asked_at: float | None = None
    managers: Managers = field(default_factory=Managers)
