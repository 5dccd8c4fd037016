"""``cells-api``: the HTTP API of a cell on cheroot.  SIGTERM and SIGINT stop it after the requests in progress."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from cells import exceptions
from cells.cmd import daemon

LOG = logging.getLogger(__name__)

#: Time until the process ends, also if a request hangs.
EXIT_SECONDS = 15.0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; return the exit status if the API did not start."""
    return daemon.run("cells-api", argv, _serve)


def _serve(conf: cfg.ConfigOpts) -> int:
    # Imported late: --help and a wrong option must not wait for these imports.
    try:
        from cells.api import deployment  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise exceptions.ConfigurationError(
            f"The module {error.name} is missing: install cells-intercell[api]."
        ) from error

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    built = deployment.build(conf)
    server = _bound(conf, built.application)
    serving = threading.Thread(target=server.serve, name="cells-api-accept", daemon=True)
    serving.start()
    LOG.info("The HTTP API is ready on %s.", conf.cells_api.listen)
    while serving.is_alive() and not stopped.wait(1.0):
        pass
    has_failed = not stopped.is_set()
    stopping = threading.Thread(target=_stop, args=(server, built), name="cells-api-stop", daemon=True)
    stopping.start()
    stopping.join(EXIT_SECONDS)
    return int(has_failed or stopping.is_alive())


def _bound(conf: cfg.ConfigOpts, application: Any) -> Any:
    from cells.api.http_server import HttpServer  # noqa: PLC0415
    from cells.transport import socket_address  # noqa: PLC0415

    settings = conf.cells_api
    try:
        address = socket_address.split(settings.listen)
    except exceptions.ConfigurationError as error:
        raise exceptions.ConfigurationError(f"[cells_api] listen: {error.message}") from None
    server = HttpServer(address, application, settings.threads)
    try:
        server.prepare()
    except OSError as error:
        raise exceptions.ConfigurationError(
            f"[cells_api] listen = {settings.listen} cannot be used: {error}. Stop the program that listens there, or "
            "choose another address."
        ) from error
    return server


def _stop(server: Any, built: Any) -> None:
    with contextlib.suppress(Exception):
        server.stop()
    built.close()


if __name__ == "__main__":
    sys.exit(main())
