"""Bounds for log lines that repeat: about problems that other cells cause, and about problems that last."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Lines about one subject within one window.
MAX_LINES = 5
WINDOW_SECONDS = 60.0
#: Subjects with lines of their own; further subjects share one, because a subject may be a text of another cell.
MAX_SUBJECTS = 1000
#: Time between two lines about a problem that lasts.
REMINDER_SECONDS = 600.0
#: Names that are remembered of one cell, and their length; a name may be a text of another cell, too.
MAX_NAMES, MAX_NAME_LENGTH = 100, 80


@dataclass
class _Window:
    ends_at: float
    lines: int = 0


class LimitedLog:
    """Logger with at most MAX_LINES lines about one subject in WINDOW_SECONDS.  Thread-safe.

    The first line after a window with more lines tells how many were left out.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def warn_about(self, subject: str, text: str, *arguments: object) -> None:
        """Log a warning, as :meth:`log_about`."""
        self.log_about(logging.WARNING, subject, text, *arguments)

    def log_about(self, level: int, subject: str, text: str, *arguments: object, **options: Any) -> bool:
        """Log ``text % arguments``, unless the window of ``subject`` is full.

        :param subject: the neighbor that causes the problem, the kind of the problem, or both
        :param options: of :meth:`logging.Logger.log`
        :returns: whether the line was logged
        """
        if not self._logger.isEnabledFor(level):
            return False
        now, left_out = self._clock(), 0
        with self._lock:
            subject = subject if subject in self._windows or len(self._windows) < MAX_SUBJECTS else ""
            window = self._windows.get(subject)
            if window is None or now >= window.ends_at:
                left_out = 0 if window is None else max(0, window.lines - MAX_LINES)
                window = self._windows[subject] = _Window(now + WINDOW_SECONDS)
            window.lines += 1
            is_full = window.lines > MAX_LINES
        if left_out:
            self._logger.log(level, "%d more lines about %s were left out.", left_out, subject or "other cells")
        if not is_full:
            self._logger.log(level, text, *arguments, **options)
        return not is_full


class LastingProblem:
    """Log of a problem that a periodic step finds again and again, such as a broker that is away.  Thread-safe.

    There is a line when the problem begins or changes, and one every REMINDER_SECONDS while it lasts.
    """

    def __init__(
        self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic, pause_seconds: float = 0.0
    ) -> None:
        """:param pause_seconds: between two lines at least, until the problem ends, even if it changes"""
        self._log = LimitedLog(logger, clock)
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        #: the last line; empty: the problem does not last
        self._line = ""
        self._next_at = self._quiet_until = 0.0

    def log(self, level: int, text: str, *arguments: object) -> None:
        """Log ``text % arguments``, unless it is the last line again and no reminder is due."""
        line, now = text % arguments, self._clock()
        with self._lock:
            if now < (self._next_at if line == self._line else self._quiet_until):
                return
            self._line, self._next_at, self._quiet_until = line, now + REMINDER_SECONDS, now + self._pause_seconds
        self._log.log_about(level, "this problem", text, *arguments)

    def end(self, text: str = "", *arguments: object) -> None:
        """Forget the problem: if it comes back, that is a new line.

        :param text: logged at INFO if the problem lasted, ``text % arguments``; empty: nothing is logged
        """
        with self._lock:
            lasted = bool(self._line)
            self._line, self._quiet_until = "", 0.0
        if lasted and text:
            self._log.log_about(logging.INFO, "the end of this problem", text, *arguments)


class FirstTimes:
    """Memory of the names that each cell has caused a line with, so that one line is enough.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, set[str]] = {}

    def is_first(self, cell: str, name: str) -> bool:
        """Return whether ``cell`` causes a line with ``name`` for the first time.

        False after MAX_NAMES names of that cell: there is no end of names that it could invent.

        :param cell: a neighbor or this cell, so that the number of cells is bounded
        """
        name = name[:MAX_NAME_LENGTH]
        with self._lock:
            known = self._names.setdefault(cell, set())
            if name in known or len(known) >= MAX_NAMES:
                return False
            known.add(name)
            return True
