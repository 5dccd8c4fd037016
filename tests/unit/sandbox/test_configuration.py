"""Path of the configuration of a cell, for ``cells --sandbox``."""

from __future__ import annotations

import pytest

from cells import exceptions
from cells.sandbox import configuration, state, transports
from cells.sandbox.layout import Layout
from cells.sandbox.state import State
from cells.sandbox.tree import parse


def test_configuration_file_of_a_cell(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLS_SANDBOX", str(layout.directory))
    with pytest.raises(exceptions.SandboxError, match="sandbox up"):
        configuration.config_file("api")
    state.write(layout, State(parse("api(b)"), transports.BROKERLESS))
    assert configuration.config_file("b") == layout.cell("b").config
    with pytest.raises(exceptions.SandboxError, match="api, b"):
        configuration.config_file("c")
