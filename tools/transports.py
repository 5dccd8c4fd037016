"""Transports of oslo.messaging with default options, for clients of the tests and the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oslo_config import cfg

from cells.transport import open_transport


def connect(url: str, state_path: Path | None = None) -> Any:
    """Return a transport with its own configuration; the caller must call its ``cleanup()``.

    :param state_path: directory for the lock files that use_queue_manager needs
    """
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("state_path"))
    conf([], project="cells-tools", default_config_files=[])
    if state_path is not None:
        conf.set_override("state_path", str(state_path))
    return open_transport(conf, url, ["cells.exceptions"])
