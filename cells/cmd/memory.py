"""Keeps the daemon as small after a large message as before it, and quick; ``cells-manager`` calls it at its start.

The C library keeps one heap for each of several threads, and once it has seen a
large block freed it takes the next ones from those heaps, which then stay as
large as their largest message: a few messages of 10 MB, each handled on another
thread, would cost a hundred megabytes for as long as the manager lives.

What a cast of many takes is below that: a relay makes and frees a dozen such blocks for each,
and to get every page of them from the system anew took a tenth of its time.
"""

from __future__ import annotations

import ctypes
import gc
import os

# The numbers are those of <malloc.h>.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

#: Larger blocks are mapped one by one, and given back one by one: longer than the text of most casts of many.
LARGE_BYTES = 2 * 1024 * 1024
#: What a heap may keep free at its end.
SPARE_BYTES = 4 * 1024 * 1024
#: Python runs one thread at a time: more heaps would only be more holes.
HEAPS = 2

#: New objects after which the garbage collector looks for circles of dead ones.  A cast of many makes thousands
#: and hardly any circle, so that Python's own 700 had it look several times at each.
MANY_OBJECTS = 20_000


def return_large_blocks() -> bool:
    """Have freed blocks go back to the system, unless the environment tunes the C library itself.

    Called before the first thread starts.

    :returns: False with a C library that knows no such settings: then everything stays as it is
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = {M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: SPARE_BYTES, M_ARENA_MAX: HEAPS}
    return all(mallopt(name, value) for name, value in settings.items())


def spare_what_stays() -> None:
    """Have the garbage collector look no more at what is there now: modules, classes, settings.

    Called when everything is imported.  It would go through all of that again and
    again, for tens of milliseconds in which every message waits.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS)
