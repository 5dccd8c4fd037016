"""Configuration whose database is a file of the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from cells import conf as cells_conf


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    return configuration(tmp_path, f"sqlite:///{tmp_path}/cells.sqlite")


def configuration(directory: Path, connection: str, **options: str) -> cfg.ConfigOpts:
    path = directory / "cells.conf"
    lines = ["[cells]", "name = api", "[database]", f"connection = {connection}"]
    path.write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in options.items())]))
    return cells_conf.load([path])
