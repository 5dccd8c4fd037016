"""Endpoint of the drills: it records each message that it executes.

This file needs no other module of the drills, because the managers' processes load a copy of it.
"""

from __future__ import annotations

import os
import time

from cells.endpoints import Call, endpoint

#: Environment variable with the file of the records.
RECORDS = "CELLS_DRILLS_RECORDS"


@endpoint(blocks=False)
def drill(call: Call, number: str) -> str:
    """Record a message, and return its number."""
    return record(call.cell.name, number)


def record(cell: str, number: str) -> str:
    """Append ``number cell time`` to the file; all processes share it, and the monotonic clock."""
    line = f"{number} {cell} {time.monotonic()}\n".encode()
    # One write to a file in append mode: lines of several processes do not mix, and kill -9 loses none.
    descriptor = os.open(os.environ[RECORDS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
    return number
