"""Format of log records: one record is one line of bounded length, whatever text of another cell is in it.

Most records with text of other cells are written far away from each other, and libraries write some of them.  So the
formatter of each handler is wrapped, instead of the places that log.  Only a traceback has lines of its own.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
from collections.abc import Iterable
from typing import Any

from cells import printable

#: A colored log (``[DEFAULT] log_color``) sets colors with these sequences, which do nothing else.
_COLOR = re.compile(r"(\x1b\[[0-9;]{0,10}m)")
#: Prefix of the names of this project's loggers.
_OWN_LOGGERS = "cells."


class OneLineFormatter(logging.Formatter):
    """Formatter that escapes the text of another formatter, and hides logins in URLs."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of the record; called by a handler."""
        plain = copy.copy(record)
        plain.msg, plain.args = printable.line(record.getMessage()), None
        text: Any = self._without_summary(plain)
        if not isinstance(text, str):  # of fluentd: an object that goes out as JSON
            return text  # type: ignore[no-any-return]
        has_lines = plain.exc_info or plain.exc_text or plain.stack_info
        text = printable.without_logins(text)
        if "color" in vars(record):
            return "".join(
                part if _COLOR.fullmatch(part) else _escaped(part, has_lines=bool(has_lines))
                for part in _COLOR.split(text)
            )
        return _escaped(text, has_lines=bool(has_lines))

    def _without_summary(self, record: logging.LogRecord) -> Any:
        """Return the text of the record, without the error that is being handled where it was logged.

        oslo.log appends that error, unless its class is one of a few, such as ValueError.  The records of this project
        contain the text of the error already.
        """
        if record.exc_info or not record.name.startswith(_OWN_LOGGERS):
            return self._formatter.format(record)
        try:
            raise ValueError  # noqa: TRY301  # only its class counts
        except ValueError:
            return self._formatter.format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """Return the lines of a traceback; called by the handler for the journal."""
        return printable.without_logins(printable.lines(self._formatter.formatException(ei)))


def _escaped(text: str, *, has_lines: bool) -> str:
    return printable.lines(text) if has_lines else printable.line(text, sys.maxsize)


def wrap_all() -> None:
    """Wrap the formatters of all handlers of this process; called once the log is set up."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    wrap({handler for logger in loggers for handler in logger.handlers})


def wrap(handlers: Iterable[logging.Handler]) -> None:
    """Wrap the formatters of ``handlers``."""
    for handler in handlers:
        if not isinstance(handler.formatter, OneLineFormatter):
            handler.setFormatter(OneLineFormatter(handler.formatter or logging.Formatter()))
