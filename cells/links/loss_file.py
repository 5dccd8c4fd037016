"""The file that keeps the counts of lost messages: it survives a kill -9 of the manager.

The file is mapped into memory, so that a count costs about a microsecond and no system call.  It survives the process,
not a crash of the host.  One manager uses a file at a time.

A header is followed by records of one size.  A record belongs to one key, and holds its numbers.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cells.ownership import check_is_ours

MAGIC = b"cells losses\n"
VERSION = 1
#: magic, version, size of a record, start of the counts in seconds since 1970
_HEADER = struct.Struct("<16sIIQ32x")
#: cell, kind, reason, lost, may have arrived, told, in flight
_RECORD = struct.Struct("<256s32s96s4Q")
_NUMBERS = struct.Struct("<4Q")
_NUMBER = struct.Struct("<Q")
_NUMBERS_AT = _RECORD.size - _NUMBERS.size
_IN_FLIGHT_AT = _RECORD.size - _NUMBER.size
_TEXT_BYTES = (255, 31, 95)
FIRST_RECORDS = 32
MAX_RECORDS = 4096


def path_of(directory: str, cell: str, host: str) -> Path:
    """Return the path of the file of one manager: those of one host may share a directory."""
    # A name may have characters that are not allowed in a file's name.
    return Path(directory) / f"losses.{quote(cell, safe='')[:100]}.{quote(host, safe='')[:100]}"


class Record(NamedTuple):
    """The numbers of one cell, kind of message and reason; see :class:`cells.links.losses.Tally`."""

    cell: str
    kind: str
    reason: str
    lost: int
    may_have_arrived: int
    told: int
    in_flight: int


class LossFileCorrupt(Exception):
    """Raised if a file is no file of counts, or one of another version."""


class LossFile:
    """An open file of counts.  Not thread-safe."""

    def __init__(self, path: Path, started_at: float) -> None:
        """Open the file, or create it with mode 0600.

        :param started_at: seconds since 1970, for a new file
        :raises OSError: the file cannot be opened or has no room on the disk, or another manager uses it
        :raises LossFileCorrupt: the content is wrong; the file is unchanged
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        self._count = 0
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(self._descriptor, 0o600)
            # Another user could shorten its own file, which ends a process of root that has mapped the file.
            check_is_ours(path)
            is_new = os.fstat(self._descriptor).st_size == 0
            self._map = self._mapped(FIRST_RECORDS if is_new else 0)
            if is_new:
                _HEADER.pack_into(self._map, 0, MAGIC, VERSION, _RECORD.size, int(started_at))
            self.started_at = self._checked_start()
            self._count = sum(1 for _ in self.records())
        except BaseException:
            os.close(self._descriptor)
            raise

    def _mapped(self, records: int) -> mmap.mmap:
        """Return the map of the file, which gets room for so many records first."""
        if records:
            # Without blocks of its own, a write to the map on a full disk would end the process with SIGBUS.
            os.posix_fallocate(self._descriptor, 0, _HEADER.size + records * _RECORD.size)
        size = os.fstat(self._descriptor).st_size
        if size < _HEADER.size:
            raise LossFileCorrupt("it is too short")
        return mmap.mmap(self._descriptor, size)

    def _checked_start(self) -> int:
        magic, version, size, started_at = _HEADER.unpack_from(self._map, 0)
        if magic.rstrip(b"\0") != MAGIC or (version, size) != (VERSION, _RECORD.size):
            raise LossFileCorrupt("it has another format")
        return int(started_at)

    def records(self) -> Iterator[Record]:
        """Yield all records.

        :raises LossFileCorrupt: a text cannot be read
        """
        for slot in range((len(self._map) - _HEADER.size) // _RECORD.size):
            cell, kind, reason, *numbers = _RECORD.unpack_from(self._map, _offset(slot))
            if not cell.rstrip(b"\0"):
                return
            try:
                texts = [text.rstrip(b"\0").decode() for text in (cell, kind, reason)]
            except UnicodeDecodeError as error:
                raise LossFileCorrupt("a name in it cannot be read") from error
            yield Record(*texts, *numbers)

    def add(self, cell: str, kind: str, reason: str) -> int | None:
        """Add a record and return its slot; None if there is no room.  Longer texts are cut."""
        if self._count >= MAX_RECORDS:
            return None
        slot = self._count
        if _offset(slot + 1) > len(self._map):
            try:
                grown = self._mapped(2 * slot)
            except OSError:
                return None
            self._map.close()
            self._map = grown
        texts = [_cut(text, size) for text, size in zip((cell, kind, reason), _TEXT_BYTES, strict=True)]
        _RECORD.pack_into(self._map, _offset(slot), *texts, 0, 0, 0, 0)
        self._count += 1
        return slot

    def write(self, slot: int, lost: int, may_have_arrived: int, told: int, in_flight: int) -> None:
        """Write the numbers of a record."""
        _NUMBERS.pack_into(self._map, _offset(slot) + _NUMBERS_AT, lost, may_have_arrived, told, in_flight)

    def write_in_flight(self, slot: int, in_flight: int) -> None:
        """Write the last number of a record."""
        _NUMBER.pack_into(self._map, _HEADER.size + slot * _RECORD.size + _IN_FLIGHT_AT, in_flight)

    def close(self) -> None:
        """Close the file.  Called once."""
        self._map.close()
        os.close(self._descriptor)


def open_or_set_aside(path: Path, started_at: float) -> tuple[LossFile, Path | None]:
    """Open the file; if its content is wrong, rename it and create a new file.

    :returns: the file, and the new name of the wrong file if there was one
    :raises OSError: as :class:`LossFile`
    """
    with contextlib.suppress(LossFileCorrupt):
        return LossFile(path, started_at), None
    aside = path.with_name(f"{path.name}.corrupt")
    path.replace(aside)
    return LossFile(path, started_at), aside


def _offset(slot: int) -> int:
    return _HEADER.size + slot * _RECORD.size


def _cut(text: str, size: int) -> bytes:
    return text.encode(errors="replace")[:size].decode(errors="ignore").encode()
