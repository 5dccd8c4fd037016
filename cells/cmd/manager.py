"""``cells-manager``: the daemon, one process per manager.

SIGTERM and SIGINT stop it gracefully, SIGHUP makes it read its configuration
and its neighbors again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_log import log

from cells import conf as cells_conf
from cells import exceptions
from cells.cmd import memory

if TYPE_CHECKING:
    from cells.manager.lifecycle import CellsService

LOG = logging.getLogger(__name__)

#: A message passes through several threads, none of which computes for long.  Python's own
#: 5 ms before a thread has to let another one run is as long as a whole call.
SWITCH_SECONDS = 0.0002
#: How much longer than [DEFAULT] graceful_shutdown_timeout the process lives at most.
LAST_SECONDS = 15.0
#: How often the main thread looks whether a signal has come that did not wake it up.
LOOK_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a manager until it is told to stop; return the exit status if it never started."""
    try:
        conf = cells_conf.load_command_line("cells-manager", list(sys.argv[1:] if argv is None else argv))
        log.setup(conf, "cells")
        memory.return_large_blocks()
        status = _run(conf)
    except exceptions.CellsError as error:
        print(f"cells-manager: {error.message}", file=sys.stderr)  # noqa: T201  # the log may be elsewhere
        return 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that hangs in a broker that is gone must not keep the process.
    os._exit(status)


def _run(conf: cfg.ConfigOpts) -> int:
    # Here, not above: --help and a wrong option must not wait for these imports.
    from oslo_service import service as oslo_service  # noqa: PLC0415

    from cells import service  # noqa: PLC0415
    from cells.transport.patches import registry  # noqa: PLC0415
    from cells.transport.patches.envelope_log import ENVELOPE_LOG  # noqa: PLC0415

    sys.setswitchinterval(SWITCH_SECONDS)
    registry.apply_all(conf.cells.disabled_patches)
    signals: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: signals.put(signal.Signals(received)))
    built = service.build(conf)
    ENVELOPE_LOG.on_refused = lambda: built.counters.count("rejected", "Envelope")
    memory.spare_what_stays()
    launcher = oslo_service.Launcher(conf, restart_method="mutate")
    launcher.launch_service(built)
    while (received := _next(signals)) is signal.SIGHUP:
        LOG.info("SIGHUP: reading the configuration and the neighbors again")
        _reload(launcher)
    LOG.info("%s: stopping", received.name)
    return _stop(conf, launcher, built)


def _next(signals: queue.SimpleQueue[signal.Signals]) -> signal.Signals:
    """Wait for a signal.

    The system may give it to any thread, and Python runs its handler on this one alone, as soon as that runs.
    """
    while True:
        with contextlib.suppress(queue.Empty):
            return signals.get(timeout=LOOK_SECONDS)


def _reload(launcher: Any) -> None:
    try:
        launcher.restart()
    except Exception as error:  # oslo.config and the parsers below it raise classes of their own
        LOG.error("The configuration cannot be read again, the old one stays: %s", error)  # noqa: TRY400  # one line


def _stop(conf: cfg.ConfigOpts, launcher: Any, built: CellsService) -> int:
    """Stop gracefully, but within a bound: a broker that hangs must not hold us."""
    stopping = threading.Thread(target=launcher.stop, name="cells-stop", daemon=True)
    stopping.start()
    patience = conf.graceful_shutdown_timeout
    stopping.join(patience + LAST_SECONDS if patience else None)
    if stopping.is_alive():
        LOG.error("The manager of cell %s did not stop in time and is ended.", built.name)
        return 1
    return 0


if __name__ == "__main__":
    # "cells sandbox" starts it by the Python that runs itself, wherever the console scripts are.
    sys.exit(main())
