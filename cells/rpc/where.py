"""Where: the cell or the cells of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cells import exceptions
from cells.services.requirements import CellRequirements


@dataclass(frozen=True)
class Where:
    """The cell or the cells in which a service is called.  Without them: this cell, without its manager."""

    cell: str | CellRequirements | None = None
    cells: str | tuple[str, ...] | None = None
    need: int | None = None

    def __post_init__(self) -> None:
        if self.cell is not None and self.cells is not None:
            raise exceptions.InvalidArguments("A call goes to one cell or to many: give cell= or cells=, not both.")
        if self.cell is not None and not isinstance(self.cell, (str, CellRequirements)):
            raise exceptions.InvalidArguments(
                f"cell= takes a name, a path like 'api!east', or any_cell(...), not {self.cell!r:.80}."
            )
        if isinstance(self.cells, str) and self.cells not in ("down", "up"):
            raise exceptions.InvalidArguments(f"cells= takes 'down', 'up' or a list of cells, not {self.cells!r:.80}.")
        if self.need is not None and (isinstance(self.need, bool) or not isinstance(self.need, int) or self.need < 1):
            raise exceptions.InvalidArguments(f"need= takes a number of answers over 0, not {self.need!r:.40}.")

    @property
    def target_cell(self) -> Any:
        """The cell, or the requirements of a cell, in the form that the manager takes."""
        return self.cell.to_dict() if isinstance(self.cell, CellRequirements) else self.cell


def as_names(cells: Any) -> Any:
    """Return a list of cells as a tuple."""
    if cells is None or isinstance(cells, str):
        return cells
    try:
        names = tuple(cells)
    except TypeError:
        names = (None,)
    if not all(isinstance(name, str) for name in names):
        raise exceptions.InvalidArguments(f"cells= takes 'down', 'up' or a list of cells, not {cells!r:.80}.")
    return names
