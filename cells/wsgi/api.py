"""``cells.wsgi.api:application``: the HTTP API for any WSGI server.

The configuration is in the file that the environment variable CELLS_CONFIG_FILE names, or in ``cells.conf`` in one of
the default directories of oslo.config.
"""

from __future__ import annotations

import os
from typing import Any

from oslo_log import log

from cells import conf as cells_conf
from cells.api import deployment

CONFIG_VARIABLE = "CELLS_CONFIG_FILE"


def load() -> Any:
    """Return the application.

    :raises cells.exceptions.ConfigurationError: a setting cannot work, or there is no file
    """
    file = os.environ.get(CONFIG_VARIABLE)
    conf = cells_conf.load_command_line("cells-api", ["--config-file", file] if file else [])
    log.setup(conf, "cells")
    return deployment.build(conf).application


def __getattr__(name: str) -> Any:
    """Build the application when a server first reads it: an import alone needs no configuration."""
    if name != "application":
        raise AttributeError(name)
    globals()[name] = load()
    return globals()[name]
