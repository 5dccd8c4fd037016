"""Settings of the C library's heap and of the garbage collector; ``cells-manager`` makes them at its start.

The C library keeps one heap for each of several threads.  After a
large block was freed, it takes further large blocks from those heaps, which then stay as
large as their largest message: a few messages of 10 MB, each processed on another
thread, would cost a hundred megabytes for as long as the manager runs.

The blocks of a cast of many messages are smaller than that limit: a relay allocates and frees a dozen of them per
cast, and mapping their pages anew each time took a tenth of its time.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Mapping

# From <malloc.h>.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

#: Larger blocks are mapped and unmapped one by one.  The texts of most casts of many messages are smaller.
LARGE_BYTES = 2 * 1024 * 1024
#: Free memory that a heap may keep at its end.
SPARE_BYTES = 4 * 1024 * 1024
#: Python runs one thread at a time: more heaps would only fragment the memory.
HEAPS = 2

#: New objects after which the garbage collector looks for reference cycles.  A cast of many messages makes thousands
#: of objects and hardly any cycle; with Python's default of 700 the collector ran several times per cast.
MANY_OBJECTS = 20_000


def return_large_blocks(environment: Mapping[str, str] = os.environ) -> bool:
    """Return large freed blocks to the system, unless the environment tunes the C library.

    Called before the first thread starts.

    :returns: False if the C library does not have these settings; nothing is changed then
    """
    if any(name.startswith("MALLOC_") for name in environment):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = {M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: SPARE_BYTES, M_ARENA_MAX: HEAPS}
    return all(mallopt(name, value) for name, value in settings.items())


def freeze_objects() -> None:
    """Exclude all present objects (modules, classes, settings) from garbage collection.

    Called after all imports.  Each collection would traverse these objects
    for tens of milliseconds, in which no message is processed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS)
