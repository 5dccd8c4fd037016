"""Deprecated: import :func:`open_transport` from :mod:`cells.transport`.  Removed in the next release."""

from cells.transport import open_transport

__all__ = ["open_transport"]
