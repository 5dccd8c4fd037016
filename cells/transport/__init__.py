"""All code that depends on private parts of oslo.messaging: opening, servers, direct replies, and patches.

The other packages use the public interface of oslo.messaging, or this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cells.transport.opening import open_transport

__all__ = ["open_transport"]


def __getattr__(name: str) -> Any:
    # oslo.messaging takes 0.3 s to import. "cells --help" and the neighbor table need only cells.transport.url.
    if name == "open_transport":
        from cells.transport.opening import open_transport  # noqa: PLC0415

        return open_transport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
