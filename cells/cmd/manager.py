"""``cells-manager``: the daemon, one process per manager.

SIGTERM and SIGINT stop it gracefully; on SIGHUP it reads its configuration
and its neighbors again; on SIGUSR2 it writes a report about itself to its log.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from cells.cmd import daemon, descriptors, log_format, memory

if TYPE_CHECKING:
    from cells.manager.lifecycle import CellsService

LOG = logging.getLogger(__name__)

#: A message passes through several threads that compute for a short time.  Python's default interval
#: of 5 ms between switches of threads is as long as a whole call.
SWITCH_SECONDS = 0.0002
#: The process ends at the latest this long after [DEFAULT] graceful_shutdown_timeout, or after the last call in flight.
EXIT_SECONDS = 15.0
#: Signals that ask for something and do not end the manager.
REQUESTS = (signal.SIGHUP, signal.SIGUSR2)
#: How often the main thread checks for a signal that another thread has received.
SIGNAL_CHECK_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a manager until a signal stops it; return the exit status if it did not start."""
    return daemon.run("cells-manager", argv, _run)


def _run(conf: cfg.ConfigOpts) -> int:
    # Imported late: --help and a wrong option must not wait for these imports.
    from oslo_service import service as oslo_service  # noqa: PLC0415

    from cells import preflight, service  # noqa: PLC0415
    from cells.transport.patches import registry  # noqa: PLC0415
    from cells.transport.patches.envelope_log import ENVELOPE_LOG  # noqa: PLC0415

    memory.return_large_blocks()
    descriptors.raise_limit()
    preflight.check(conf)
    sys.setswitchinterval(SWITCH_SECONDS)
    registry.apply_all(conf.cells.disabled_patches)
    signals: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, *REQUESTS):
        signal.signal(number, lambda received, _frame: signals.put(signal.Signals(received)))
    built = service.build(conf)
    ENVELOPE_LOG.on_refused = lambda: built.counters.count("rejected", "Envelope")
    memory.freeze_objects()
    launcher = oslo_service.Launcher(conf, restart_method="mutate")
    launcher.launch_service(built)
    reloader = Requested(lambda: _reload(launcher), "cells-reload")
    reporter = Requested(built.observation.write_report, "cells-report")
    while (received := _next(signals, lambda: built.observation.progress.beat("signals"))) in REQUESTS:
        if received is signal.SIGUSR2:
            reporter.ask()
        else:
            LOG.info("SIGHUP: reading the configuration and the neighbors again")
            reloader.ask()
    LOG.info("%s: stopping", received.name)
    return _stop(conf, launcher, built)


def _next(signals: queue.SimpleQueue[signal.Signals], on_turn: Callable[[], object]) -> signal.Signals:
    """Wait for a signal; call ``on_turn`` about once a second meanwhile.

    The system may deliver it to any thread; Python runs the handler on the main thread, when that thread runs next.
    """
    while True:
        on_turn()
        with contextlib.suppress(queue.Empty):
            return signals.get(timeout=SIGNAL_CHECK_SECONDS)


class Requested:
    """Thread that works on request: a file system or a database may hang, and signals must be handled meanwhile."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        """:param work: must not raise"""
        self._work = work
        self._is_asked = threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def ask(self) -> None:
        """Have the thread work.  Requests during the work lead to one further run."""
        self._is_asked.set()

    def _run(self) -> None:
        while self._is_asked.wait():
            self._is_asked.clear()
            self._work()


def _reload(launcher: Any) -> None:
    try:
        launcher.restart()
        # A changed file of [DEFAULT] log_config_append has made new handlers.
        log_format.wrap_all()
    except Exception as error:  # oslo.config and its parsers raise many classes
        LOG.error("The configuration cannot be read again; the manager keeps the old values: %s", error)  # noqa: TRY400


def _stop(conf: cfg.ConfigOpts, launcher: Any, built: CellsService) -> int:
    """Stop gracefully, but in limited time: a hung broker or database must not keep the process alive.

    A timeout of 0 does not limit the calls in flight, and nothing else.
    """
    stopping = threading.Thread(target=launcher.stop, name="cells-stop", daemon=True)
    stopping.start()
    built.has_drained.wait(conf.graceful_shutdown_timeout or None)
    stopping.join(EXIT_SECONDS)
    if stopping.is_alive():
        LOG.error("The manager of cell %s did not stop within its timeout: the process exits now.", built.name)
        return 1
    return 0


if __name__ == "__main__":
    # "cells sandbox" starts the module with its own Python, because it does not know the path of the console scripts.
    sys.exit(main())
