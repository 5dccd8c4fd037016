"""Standard streams of a command: they may be closed or broken, and a terminal obeys the escape sequences in a text.

Text of other cells reaches the streams in many places, so the streams themselves escape it; a command makes line
breaks within a value visible, because only the command knows where a value ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

from cells import printable

STATUS_BROKEN_PIPE = 141


class BrokenOutput(Exception):
    """Raised when stdout takes no more text.

    A class of its own, because a command may get the same OSError from its connection to a broker.
    """


class SafeStream:
    """A text stream that escapes characters that a terminal obeys or does not show, apart from line breaks."""

    def __init__(self, stream: TextIO, *, may_fail: bool) -> None:
        """:param may_fail: raise BrokenOutput if the stream takes no text; otherwise the text is dropped"""
        self._stream = stream
        self._may_fail = may_fail
        #: called before each text, to remove a line that is shown while a command is quiet
        self.before_write: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the escaped text."""
        if self.before_write is not None:
            self.before_write()
        self._do(lambda: self._stream.write(printable.lines(text)))
        return len(text)

    def write_control(self, text: str) -> None:
        """Write a text that the terminal obeys at once.  The caller knows each character of it."""
        self._do(lambda: self._stream.write(text))
        self._do(self._stream.flush)

    def flush(self) -> None:
        """Write the buffered text."""
        self._do(self._stream.flush)

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            if self._may_fail:
                raise BrokenOutput(str(getattr(error, "strerror", None) or error)) from error


def run(program: str, work: Callable[[], int], status_failed: int) -> int:
    """Run a command; return its exit status, also if stdout or stderr is closed, full, or a pipe that nothing reads.

    :param program: its name, for an error on stderr
    :param status_failed: exit status if stdout takes no text
    """
    open_missing()
    stdout, stderr = sys.stdout, sys.stderr
    for stream in (stdout, stderr):
        # A character outside the terminal's encoding must not stop a command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    out, err = (SafeStream(stdout, may_fail=True), SafeStream(stderr, may_fail=False))
    try:
        with contextlib.redirect_stdout(cast("TextIO", out)), contextlib.redirect_stderr(cast("TextIO", err)):
            status = work()
            out.flush()
    except BrokenOutput as error:
        status = STATUS_BROKEN_PIPE
        if not isinstance(error.__cause__, BrokenPipeError):
            status = status_failed
            err.write(f"{program}: the output cannot be written: {error}\n")
        _discard(stdout)
    finally:
        flush_or_discard(stderr)
    return status


def open_missing() -> None:
    """Open the null device in place of closed streams: the next socket would get the number of a closed stream."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened < number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(max(opened, number), mode, encoding="utf-8"))


def flush_or_discard(stream: TextIO) -> None:
    """Write the buffered text, or drop it if the stream takes none; then the end of the process has nothing to write.

    Without an error, because no stream is left that could tell of it.
    """
    try:
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def _discard(stream: TextIO) -> None:
    """Drop the buffered text: Python flushes the stream again at exit, and would report the same error there."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
