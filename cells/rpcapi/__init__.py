"""The client of a cell's own manager, for services and for the command line."""

from cells.rpcapi.api import CellsAPI
from cells.rpcapi.cell_answer import CellAnswer

__all__ = ["CellAnswer", "CellsAPI"]
