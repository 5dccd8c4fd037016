"""The neighbors of this cell: their rows, the table of their states, and the topology and versions derived from both.

Nothing here sends a message or opens a database: the rows come from a source that is passed in.
"""

from cells.neighbors.heard import Heard
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.table import MAX_MANAGERS, Changes, Direction, Neighbors, NeighborTable, State

__all__ = ["MAX_MANAGERS", "Changes", "Direction", "Heard", "Neighbor", "NeighborTable", "Neighbors", "State"]
