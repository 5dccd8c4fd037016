"""A transport of oslo.messaging within the process, for tests without a second cell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from oslo_config import cfg

from cells.transport.opening import register_options


@contextmanager
def configured() -> Iterator[cfg.ConfigOpts]:
    """The configuration of a service, with sockets of its own."""
    # A short path: that of a socket has room for 100 characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        conf = cfg.ConfigOpts()
        conf([], project="service", default_config_files=[], default_config_dirs=[])
        register_options(conf)
        conf.set_override("transport_url", f"zmq+ipc://{directory}")
        yield conf
