"""Endpoints: the functions that messages of other cells may call.  One file per domain, one function per method."""

from cells.endpoints.base import Call, CellPicker, LocalCell, endpoint
from cells.endpoints.registry import Endpoints

__all__ = ["Call", "CellPicker", "Endpoints", "LocalCell", "endpoint"]
