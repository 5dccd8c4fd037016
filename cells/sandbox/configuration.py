"""Path of the configuration file of a sandbox cell, for ``cells --sandbox CELL``.  Imports no slow library."""

from __future__ import annotations

from pathlib import Path

from cells import exceptions
from cells.sandbox import state
from cells.sandbox.layout import Layout, find_directory


def config_file(name: str) -> Path:
    """Return the configuration file of a cell of the sandbox in ``$CELLS_SANDBOX``, or in the default directory.

    :raises cells.exceptions.SandboxError: the cell or the sandbox does not exist
    """
    layout = Layout(find_directory())
    found = state.read(layout)
    if found is None:
        raise exceptions.SandboxError(
            f"There is no sandbox in {layout.directory}; create it with 'cells sandbox up'.", cell=name
        )
    names = found.tree.names()
    if name not in names:
        raise exceptions.SandboxError(
            f"There is no cell {name!r:.80} in the sandbox in {layout.directory}; its cells are: {', '.join(names)}.",
            cell=name,
        )
    return layout.cell(name).config
