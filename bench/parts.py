"""The parts of the benchmark by name; each part has its own file and runs alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench import broadcast, brokerless, busy, calls, casts, crowd, footprint, growth, profiles, relay
from bench.report import Row
from bench.run import Run

#: In the order of execution.
PARTS: Mapping[str, Callable[[Run], list[Row]]] = {
    "calls": calls.rows,
    "capped": calls.capped_rows,
    "casts": casts.rows,
    "relay": relay.rows,
    "broadcast": broadcast.rows,
    "busy": busy.rows,
    "footprint": footprint.rows,
    "brokerless": brokerless.rows,
    "crowd": crowd.rows,
    "growth": growth.rows,
    "profiles": profiles.rows,
}
