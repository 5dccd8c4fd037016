"""Notifications to systemd, as sd_notify(3): ready, stopping, and the watchdog."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping

LOG = logging.getLogger(__name__)

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"


class Notifier:
    """The socket of systemd; does nothing if there is none.  Thread-safe."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        #: a leading @ stands for a socket of the abstract name space
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        #: between two notifications of the watchdog, as systemd demands them; None: it does not
        self.watchdog_seconds: float | None = None
        with contextlib.suppress(ValueError):
            if self._path and environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
                self.watchdog_seconds = int(environment.get("WATCHDOG_USEC", "")) / 1e6 or None

    def send(self, text: str) -> None:
        """Send a notification.  Never raises."""
        if not self._path:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
                opened.settimeout(1.0)
                opened.connect(self._path)
                opened.sendall(text.encode())
        except OSError as error:
            LOG.debug("systemd was not notified of %s: %s", text, error)
