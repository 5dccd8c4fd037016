"""A check that this process has real threads, which the readers of this transport need."""

from __future__ import annotations

import select
from types import ModuleType, SimpleNamespace

from cells import exceptions


def check_threads(poller: ModuleType | SimpleNamespace = select) -> None:
    """Check that eventlet has not patched this process.

    In a patched process the threads of this transport run in one system thread: the first one that waits for a socket
    stops all others, and eventlet removes ``select.poll``.

    :raises cells.exceptions.ConfigurationError: the process is patched
    """
    if not hasattr(poller, "poll"):
        raise exceptions.ConfigurationError(
            "The transport zmq:// needs real threads, and eventlet has patched this process "
            "(eventlet.monkey_patch()): run the service on threads, with the threading back end of oslo.service, or "
            "use rabbit://."
        )
