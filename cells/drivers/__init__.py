"""The contract of a driver between cells, and the drivers that come with this project."""

from cells.drivers.base import BaseCellsDriver

__all__ = ["BaseCellsDriver"]
