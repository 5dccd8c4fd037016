"""A wrong clock of one Python process, as on a host with a wrong date.

Python imports ``sitecustomize`` before all other modules of the process, so each of them sees
the changed ``time.time``.  The monotonic clock is right.  libfaketime is no alternative:
version 0.9.10 makes ``time.sleep`` of Python 3.11 fail if it leaves the monotonic clock alone.
"""

from __future__ import annotations

import os
from pathlib import Path

MODULE = """\
import time

_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {seconds}
time.time_ns = lambda: _time_ns() + {seconds} * 10**9
"""


def shifted(place: Path, seconds: int, python_path: str) -> dict[str, str]:
    """Return the environment of a process whose clock is ahead.

    :param place: a directory for the module
    :param python_path: the other directories of its PYTHONPATH
    """
    place.mkdir(parents=True, exist_ok=True)
    (place / "sitecustomize.py").write_text(MODULE.format(seconds=seconds))
    return {"PYTHONPATH": os.pathsep.join([str(place), python_path])}
