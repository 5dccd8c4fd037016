"""The parts of the benchmark by name; each part has its own file and runs alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench import (
    broadcast,
    brokerless,
    busy,
    calls,
    casts,
    children,
    crowd,
    direct,
    footprint,
    growth,
    profiles,
    relay,
    wide,
)
from bench.report import Row
from bench.run import Run

#: In the order of execution.
PARTS: Mapping[str, Callable[[Run], list[Row]]] = {
    "calls": calls.rows,
    "capped": calls.capped_rows,
    "direct": direct.rows,
    "casts": casts.rows,
    "relay": relay.rows,
    "broadcast": broadcast.rows,
    "busy": busy.rows,
    "footprint": footprint.rows,
    "brokerless": brokerless.rows,
    "crowd": crowd.rows,
    "wide": wide.rows,
    "children": children.rows,
    "growth": growth.rows,
    "profiles": profiles.rows,
}
