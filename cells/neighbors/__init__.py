"""The neighbors of this cell: their rows, the table of their states, and what follows from both.

Nothing here sends a message or reads a database: rows come from a source that is passed in.
"""

from cells.neighbors.neighbor import Neighbor
from cells.neighbors.table import MAX_MANAGERS, Changes, Direction, Heard, Neighbors, NeighborTable, State

__all__ = ["MAX_MANAGERS", "Changes", "Direction", "Heard", "Neighbor", "NeighborTable", "Neighbors", "State"]
