"""One record is one line, whatever another cell has written into it (case F4)."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_log import formatters, log

from cells.cmd.log_format import OneLineFormatter, wrap

HOSTILE = "x\n2026-01-01 ERROR forged\x1b[2J\u202e"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A log with oslo.log's format."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf([])
    logger, stream = logging.getLogger("cells.test_log"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatters.ContextFormatter(config=conf))
    logger.addHandler(handler)
    wrap([handler])
    yield stream
    logger.removeHandler(handler)


def test_a_record_is_one_line(stream: io.StringIO) -> None:
    logging.getLogger("cells.test_log").warning("A message of %s is refused.", HOSTILE)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert "forged" in line


def test_a_record_is_short_and_has_no_password(stream: io.StringIO) -> None:
    logging.getLogger("cells.test_log").warning("%s rabbit://u:s3kr3t@h/ %s", "x", "y" * 100_000)
    assert len(stream.getvalue()) < 20_000
    assert "s3kr3t" not in stream.getvalue()


def test_a_traceback_keeps_its_lines(stream: io.StringIO) -> None:
    try:
        int(HOSTILE)
    except ValueError:
        logging.getLogger("cells.test_log").exception("Failed: %s", HOSTILE)
    lines = stream.getvalue().splitlines()
    assert sum("Traceback" in line for line in lines) == 1
    assert all(line.isprintable() for line in lines)


def test_an_error_that_is_handled_is_not_added_to_a_record(stream: io.StringIO) -> None:
    try:
        Path("/no/such/file").stat()
    except FileNotFoundError as error:
        logging.getLogger("cells.test_log").warning("The file cannot be used: %s.", error.strerror)
    assert stream.getvalue().count("No such file") == 1


def test_colors_of_the_log_stay() -> None:
    formatter = OneLineFormatter(logging.Formatter("%(color)s%(message)s"))
    record = logging.LogRecord("cells", logging.INFO, "", 1, "red\x1b[2J", (), None)
    record.color = "\x1b[01;31m"
    assert formatter.format(record) == "\x1b[01;31mred\\u001b[2J"
