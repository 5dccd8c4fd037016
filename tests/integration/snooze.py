"""External package with a slow endpoint, installed for the managers of one test.

A manager can be killed during a slow call.
"""

from __future__ import annotations

import os
from pathlib import Path

MODULE = '''"""Endpoints that take their time."""
import os
import time

from cells.endpoints import endpoint


@endpoint
def snooze(call, seconds, mark, alarm=None):
    """Append the process id to the file ``mark``; answer after ``seconds``, or when the file ``alarm`` exists."""
    with open(mark, "a") as file:
        file.write(f"{os.getpid()}\\n")
    awake_at = time.monotonic() + seconds
    while time.monotonic() < awake_at and not (alarm and os.path.exists(alarm)):
        time.sleep(0.01)
    return "awake"
'''


def install(directory: Path) -> dict[str, str]:
    """Write the package into ``directory``; return the environment in which managers find it."""
    information = directory / "cells_snooze-1.0.dist-info"
    information.mkdir(parents=True)
    (directory / "cells_snooze.py").write_text(MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: cells-snooze\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[cells.endpoints]\nsnooze = cells_snooze\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))}
