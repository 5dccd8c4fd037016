"""A daemon's process from its command line to its exit status: the log, the one line of an error, the end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_log import log

from cells import conf as cells_conf
from cells import exceptions, failure, printable
from cells.cmd import log_format, streams


def run(program: str, argv: Sequence[str] | None, serve: Callable[[cfg.ConfigOpts], int]) -> int:
    """Load the configuration, open the log and serve; end the process with the status of ``serve``.

    :param argv: arguments after the program's name; None means those of the process
    :param serve: runs until a signal stops it
    :returns: the exit status of a daemon that did not start; an error is one line on stderr then
    """
    streams.open_missing()
    try:
        conf = cells_conf.load_command_line(program, list(sys.argv[1:] if argv is None else argv))
        _set_up_log(conf)
        log_format.wrap_all()
        status = serve(conf)
    except exceptions.CellsError as error:
        text = f"{failure.name_of(error)}: {failure.text_of(error)}"
        print(f"{program}: {printable.line(text)}", file=sys.stderr)  # noqa: T201  # the log may be a file
        return 1
    finally:
        streams.flush_or_discard(sys.stdout)
        streams.flush_or_discard(sys.stderr)
    logging.shutdown()
    # A thread that hangs in a call to a dead broker must not keep the process alive.
    os._exit(status)


def _set_up_log(conf: cfg.ConfigOpts) -> None:
    try:
        log.setup(conf, "cells")
    except (OSError, log.LogConfigError) as error:
        raise exceptions.ConfigurationError(
            f"The log cannot be opened: {error}. Correct [DEFAULT] log_file, log_dir or log_config_append, or let the "
            "user that runs the program write there."
        ) from error
