"""The versions of the inter-cell API: the one place where they are declared.

Each version is listed with its features and with their replacement under a lower cap.
A cap holds for all neighbors (``[upgrade_levels] intercell``) or for one neighbor
(``cells neighbor set --version-cap``).  The history in the documentation is made from
this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from cells import exceptions

#: Cap that stands for the highest version that the neighbor has announced.
AUTO = "auto"

#: The version that a link must speak for a feature of messages.
TIME_LEFT = REPLY_SERVER = TRACE = "1.1"
STREAMED_ANSWERS = "1.2"
BATCHES = "1.3"
REPLY_TO = "1.4"
#: The lowest version at which a request may arrive with ``reply_to``: cells 0.2 sent the key from 1.1 on.  An answer
#: repeats the key, and honors it, on each link at this version or above.
REPLY_TO_IN_ANSWERS = "1.1"


@dataclass(frozen=True)
class Version:
    """One version of the API.  A cell that reads it also reads all earlier versions."""

    adds: str
    #: the behavior under a lower cap
    below: str
    #: releases whose names stand for this version as a cap: it is the highest version that they read
    aliases: tuple[str, ...] = ()


#: Oldest first.  The last one is the version of this release.
HISTORY: dict[str, Version] = {
    "1.0": Version(
        adds="The wire format of Nova's cells service: one message per cast process_message.",
        below="There is no lower version.",
        # Nova had a cells service from Grizzly to Stein, and never changed this API.
        aliases=(
            *("grizzly", "havana", "icehouse", "juno", "kilo", "liberty", "mitaka", "newton"),
            *("ocata", "pike", "queens", "rocky", "stein", "cells-0.1"),
        ),
    ),
    "1.1": Version(
        adds="time_left: the seconds for which the source still waits. Each hop shortens them, so that a child gives "
        "up before its parent and late requests do not run. reply_server: the manager that gets the answer. "
        "traceparent: the W3C trace of the request. trace: the events that cells on the way record, with their times.",
        below="Each hop waits for its own call_timeout, shortened by its depth; answers are fanned out to all managers "
        "of the source; a trace is refused.",
    ),
    "1.2": Version(
        adds="Each cell sends its answer to a broadcast to the source at once, and names the cells to which it has "
        "forwarded the broadcast. Cells on the way keep no state.",
        below="Each hop waits for all answers of its branch and sends them as one list.",
    ),
    "1.3": Version(
        adds="process_messages: many messages in one cast. Each has a header, which cells on the way read, and a "
        "payload (context and arguments), which they forward unread.",
        below="One cast for each message. Each cell on the way reads the whole message.",
        aliases=("cells-0.2",),
    ),
    "1.4": Version(
        adds="reply_to: the queue on which the calling client waits. On RabbitMQ the last cell on the way back sends "
        "the returned value directly to that queue, and sends the client's manager a short notice instead of the "
        "answer. Release 0.2 sent this key from 1.1 on; it is still honored when it arrives.",
        below="A request carries no reply_to, so its answer goes through the manager that asked.",
    ),
}

OLDEST, CURRENT = next(iter(HISTORY)), list(HISTORY)[-1]
VERSION_ALIASES: dict[str, str] = {alias: number for number, version in HISTORY.items() for alias in version.aliases}
_RANKS = {number: rank for rank, number in enumerate(HISTORY)}


def speaks(version: str, feature: str) -> bool:
    """Return whether a link that speaks ``version`` has ``feature``.  Both are keys of :data:`HISTORY`."""
    return _RANKS[version] >= _RANKS[feature]


def lowest(*numbers: str) -> str:
    """Return the lowest of ``numbers``, keys of :data:`HISTORY`."""
    return min(numbers, key=_RANKS.__getitem__)


def readable_by(announced: object) -> str:
    """Return the highest version of this release that a cell reads if it has announced ``announced``."""
    try:
        wanted = _numbers(str(announced))
    except ValueError:
        return OLDEST
    readable = [number for number in HISTORY if _numbers(number) <= wanted and _numbers(number)[0] == wanted[0]]
    return readable[-1] if readable else OLDEST


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def is_nova(cap: str | None) -> bool:
    """Return whether ``cap`` is the name of a release of Nova: a cell with this cap has no method ping."""
    text = (cap or "").strip().lower()
    return text in VERSION_ALIASES and not text.startswith("cells-")


def read_cap(cap: str) -> str:
    """Return the version that ``cap`` stands for, or :data:`AUTO`.

    :param cap: a version of :data:`HISTORY`, a name of :data:`VERSION_ALIASES`, or ``auto``
    :raises cells.exceptions.ConfigurationError: the cap is unknown; the text starts with the cap
    """
    text = cap.strip().lower()
    version = VERSION_ALIASES.get(text, text)
    if version != AUTO and version not in HISTORY:
        raise exceptions.ConfigurationError(
            f"{cap!r:.80} is neither {AUTO}, nor a version ({', '.join(HISTORY)}), "
            f"nor the name of a release ({', '.join(VERSION_ALIASES)})."
        )
    return version


def resolve_cap(cap: str | None) -> str | None:
    """Return the version that ``[upgrade_levels] intercell`` stands for; None if each neighbor decides.

    :raises cells.exceptions.ConfigurationError: the cap is unknown
    """
    try:
        version = read_cap(AUTO if cap is None else cap)
    except exceptions.ConfigurationError as error:
        raise exceptions.ConfigurationError(f"[upgrade_levels] intercell: {error.message}") from error
    return None if version == AUTO else version
