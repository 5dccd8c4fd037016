"""Progress of a command that takes longer than two seconds: one line on stderr, if stderr is a terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

#: A command that says nothing for so long shows that it still runs.
QUIET_SECONDS = 2.0
_REDRAW_SECONDS = 1.0


class Progress:
    """Line about a command that runs, on the last line of a terminal.  Thread-safe.

    It is removed before the command writes: the streams of :mod:`cells.cmd.streams` call :meth:`clear`.
    """

    def __init__(self, write: Callable[[str], object], text: str, clock: Callable[[], float] = time.monotonic) -> None:
        """:param write: writes to the terminal at once
        :param text: what the command does
        """
        self._write, self._text, self._clock = write, text, clock
        self._lock = threading.Lock()
        self._started_at = self._quiet_since = clock()
        self._shown = ""

    def show(self) -> None:
        """Show the line, if the command has been quiet for long enough."""
        with self._lock:
            now = self._clock()
            if now - self._quiet_since < QUIET_SECONDS:
                return
            text = f"{self._text}: {now - self._started_at:.0f} s"
            self._write(f"\r{text:{len(self._shown)}}")
            self._shown = text

    def clear(self) -> None:
        """Remove the line: the command writes, or ends."""
        with self._lock:
            self._quiet_since = self._clock()
            if self._shown:
                self._write(f"\r{' ' * len(self._shown)}\r")
                self._shown = ""


@contextlib.contextmanager
def shown(text: str, stderr: Any, stdout: Any) -> Iterator[None]:
    """Show progress during the block, if stderr is a terminal.

    :param stderr: a stream of :mod:`cells.cmd.streams`, as ``stdout``
    """
    if not stderr.isatty():
        yield
        return
    progress, has_ended = Progress(stderr.write_control, text), threading.Event()

    def repeat() -> None:
        while not has_ended.wait(_REDRAW_SECONDS):
            progress.show()

    thread = threading.Thread(target=repeat, name="cells-progress", daemon=True)
    stdout.before_write = stderr.before_write = progress.clear
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()
        progress.clear()
        stdout.before_write = stderr.before_write = None
