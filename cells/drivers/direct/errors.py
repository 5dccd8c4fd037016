"""The reasons why a connection of a direct link ends.

::

    ConnectionEnded
    ├── ConnectionLost            the bytes ended without a goodbye
    ├── PeerLeft                  the peer said goodbye
    ├── PeerSilent                no frame of the peer for three of its heartbeats
    ├── HelloTimeout              the peer did not answer the hello in time
    ├── PeerRefused               this side does not talk to the cell that the hello names
    ├── NotNeeded                 another connection to the same manager stays or takes over
    └── ProtocolViolation         the peer sent bytes that this protocol does not allow
        ├── MalformedFrame
        ├── FrameTooLong
        └── UnknownFrameType
"""

from __future__ import annotations

from cells import exceptions


class ConnectionEnded(exceptions.CellsError):
    """Base of the reasons why a connection has ended."""


class ConnectionLost(ConnectionEnded):
    """Raised when the bytes of a connection end without a goodbye."""


class PeerLeft(ConnectionEnded):
    """Raised when the peer has said goodbye; the text contains its reason."""

    @classmethod
    def saying(cls, reason: str) -> PeerLeft:
        """Return the error for the reason of the peer, which may be empty."""
        return cls(f"The peer said goodbye: {reason}" if reason else "The peer said goodbye.")


class PeerSilent(ConnectionEnded):
    """Raised when no frame has arrived for three heartbeats of the peer."""


class HelloTimeout(ConnectionEnded):
    """Raised when the peer has not answered the hello in time."""


class PeerRefused(ConnectionEnded):
    """Raised when this side does not talk to the manager that the hello names."""


class NotNeeded(ConnectionEnded):
    """Raised when another connection to the same manager stays or takes over."""


class ProtocolViolation(ConnectionEnded):
    """Raised when the peer sends a frame that the protocol does not allow at this point."""


class MalformedFrame(ProtocolViolation):
    """Raised when the body of a frame cannot be read."""


class FrameTooLong(ProtocolViolation):
    """Raised when a frame states a length of 0, or one above the limit."""


class UnknownFrameType(ProtocolViolation):
    """Raised when a frame has an unknown type that is not marked as optional."""
