"""A wrong clock of one process, made by libfaketime."""

from __future__ import annotations

from pathlib import Path

#: Where the distributions put the library.
PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1")


class NoFakeTime(Exception):
    """Raised if libfaketime is not installed; the text says what to do."""


def environment(clock: str) -> dict[str, str]:
    """Return the environment of a process whose clock differs: ``+3600s`` is one hour ahead.

    The monotonic clock is right, as on a host with a wrong date.

    :raises NoFakeTime: libfaketime is not installed
    """
    found = [str(path) for place in PLACES for path in Path("/").glob(place.lstrip("/"))]
    if not found:
        raise NoFakeTime("libfaketime is not installed: install the package libfaketime")
    return {"LD_PRELOAD": found[0], "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
