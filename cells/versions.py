"""The versions of the inter-cell API: the one place where they are declared.

Each is listed with what it adds and what is done instead under a lower cap, so
that a cap means something: one for all neighbors (``[upgrade_levels] intercell``),
one for each of them (``cells neighbor set --version-cap``).  The history in the docs
is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cells import exceptions

#: As a cap: whatever the neighbor has announced that it can read.
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
    """One version of the API: a cell that reads it reads all before it."""

    adds: str
    #: what happens where a cap forbids it
    below: str
    #: releases that may stand for it as a cap, because it is the highest that they read
    aliases: tuple[str, ...] = ()


#: Oldest first; the last one is what this release reads.
HISTORY: dict[str, Version] = {
    "1.0": Version(
        adds="The wire format of Nova's cells service: one message per cast process_message.",
        below="Nothing is below it.",
        # Nova had a cells service from Grizzly to Stein, and never changed this API.
        aliases=(
            *("grizzly", "havana", "icehouse", "juno", "kilo", "liberty", "mitaka", "newton"),
            *("ocata", "pike", "queens", "rocky", "stein", "cells-0.1"),
        ),
    ),
    "1.1": Version(
        adds="time_left: how many seconds the source still waits, less at every hop, so that a child gives up before "
        "its parent does and nothing runs that nobody waits for. reply_server: an answer goes to the one manager that "
        "asked. traceparent: the trace of W3C that a request belongs to. trace: which cell did what, and when.",
        below="Each hop waits as long as its own call_timeout lets it, the deeper the shorter; answers are fanned out "
        "to all managers of the cell that asked; a trace is refused.",
    ),
    "1.2": Version(
        adds="Each cell's answer to a broadcast travels straight to the source as soon as it is there, and names the "
        "cells that the broadcast was passed on to: cells on the way neither wait nor keep anything.",
        below="Each hop waits for all answers of its branch and sends them back as one list.",
    ),
    "1.3": Version(
        adds="process_messages: many messages in one cast. Each is a header that cells on the way read, and the "
        "context and arguments as one text that they pass on unread.",
        below="One cast for each message, which every cell on the way reads as a whole.",
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
    """Whether a link on which ``version`` is spoken has what came with ``feature``, both keys of :data:`HISTORY`."""
    return _RANKS[version] >= _RANKS[feature]


def lowest(*numbers: str) -> str:
    """The lowest of some keys of :data:`HISTORY`."""
    return min(numbers, key=_RANKS.__getitem__)


def readable_by(announced: object) -> str:
    """The highest version of this release that a cell reads which says that it reads ``announced``."""
    try:
        wanted = _numbers(str(announced))
    except ValueError:
        return OLDEST
    readable = [number for number in HISTORY if _numbers(number) <= wanted and _numbers(number)[0] == wanted[0]]
    return readable[-1] if readable else OLDEST


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def read_cap(cap: str) -> str:
    """The version that ``cap`` stands for, or :data:`AUTO`.

    :param cap: a version of :data:`HISTORY`, a name of :data:`VERSION_ALIASES`, or ``auto``
    :raises cells.exceptions.ConfigurationError: it is none of them; the text starts with the cap
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
    """The version that ``[upgrade_levels] intercell`` stands for; None if each neighbor decides.

    :raises cells.exceptions.ConfigurationError: it stands for none
    """
    try:
        version = read_cap(AUTO if cap is None else cap)
    except exceptions.ConfigurationError as error:
        raise exceptions.ConfigurationError(f"[upgrade_levels] intercell: {error.message}") from error
    return None if version == AUTO else version
