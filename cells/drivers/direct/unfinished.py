"""The bytes of messages that a neighbor has begun and not completed: a bound for all its connections together.

A neighbor may have many managers, and each of them may begin a message in each class.
"""

from __future__ import annotations

from cells.drivers.direct import errors

#: Longest messages that may be on their way at a time.
_LONGEST_MESSAGES = 8


class Unfinished:
    """The parts that one neighbor has sent.  Not thread-safe: its link locks.

    :param max_message_bytes: of the longest message
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._limit_bytes = _LONGEST_MESSAGES * max_message_bytes
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        """Count a part.

        :raises ProtocolViolation: there is no room for it: its connection ends
        """
        if self._bytes + size_bytes > self._limit_bytes:
            raise errors.ProtocolViolation(
                f"The peer and other managers of its cell began messages of {self._bytes} bytes together, and "
                "completed none of them."
            )
        self._bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Count no longer the parts of a message that is complete, or that will not be completed."""
        self._bytes -= size_bytes
