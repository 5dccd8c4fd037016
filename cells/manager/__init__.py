"""The manager of one cell: the RPC endpoints for its services, and the state of the cell itself."""

from cells.manager.manager import CellsManager

__all__ = ["CellsManager"]
