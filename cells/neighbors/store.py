"""Data that a manager keeps outside of its process.

The rows of its neighbors, the last known paths of its parents, and the history of its links.
"""

from __future__ import annotations

from typing import Protocol

from cells.neighbors.loader import NeighborSource
from cells.neighbors.path_memory import PathStore
from cells.neighbors.transitions import TransitionStore


class Store(NeighborSource, PathStore, TransitionStore, Protocol):
    """Source of the neighbors, and store of paths and transitions, as :class:`cells.db.api.Database` is."""
