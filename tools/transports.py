"""Transports of oslo.messaging with default options, for clients of the tests and the benchmark."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from cells.transport import open_transport


def connect(url: str) -> Any:
    """Return a transport with its own configuration; the caller must call its ``cleanup()``."""
    conf = cfg.ConfigOpts()
    conf([], project="cells-tools", default_config_files=[])
    return open_transport(conf, url, ["cells.exceptions"])
