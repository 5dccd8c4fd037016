"""The report about a running manager that SIGUSR2 asks for: state, links, queues, calls and the stacks of all threads.

It is written to the log, line by line, and contains no URL and no value of a variable.  The stacks come first: they
need no lock, and the other sections, which do, are left out if they take too long.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping

LOG = logging.getLogger(__name__)

#: Bound of the time that one section may take.
SECTION_SECONDS = 2.0
#: Frames of one stack.
MAX_FRAMES = 30

#: Makes the lines of a section.
Section = Callable[[], Iterable[str]]


def write(sections: Mapping[str, Section]) -> None:
    """Write the report to the log.  Blocks for at most SECTION_SECONDS for each section; never raises.

    :param sections: by their titles, after that of the threads
    """
    LOG.info("Report about this manager (SIGUSR2):")
    for title, section in {"Threads": stacks, **sections}.items():
        LOG.info("Report: === %s ===", title)
        for line in _limited(section):
            LOG.info("Report: %s", line)
    LOG.info("Report: === end ===")


def stacks() -> list[str]:
    """Return the stacks of all threads of this process, without the values of variables."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = []
    for number, frame in sys._current_frames().items():
        lines.append(f"{names.get(number, 'unknown')} ({number})")
        lines += [
            f"  {found.filename}:{found.lineno} {found.name}"
            for found in traceback.extract_stack(frame, limit=None)[-MAX_FRAMES:]
        ]
    return lines


def _limited(section: Section) -> list[str]:
    lines: list[str] = []

    def make() -> None:
        try:
            lines.extend(section())
        except Exception as error:  # the other sections are still of use
            lines.append(f"not available: {type(error).__name__}")

    thread = threading.Thread(target=make, name="cells-report-section", daemon=True)
    thread.start()
    thread.join(SECTION_SECONDS)
    return ["not available: a lock is held"] if thread.is_alive() else lines
