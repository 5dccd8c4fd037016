"""The old place of :func:`cells.transport.open_transport`, kept for one release."""

from cells.transport import open_transport

__all__ = ["open_transport"]
