"""The problem of the link to a neighbor, and the remedy, in one sentence for an operator.  Pure.

The text names the option or the command with which the operator changes the situation.
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.neighbors.heard import Heard
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.problem import Problem
from cells.neighbors.table import State
from cells.transport.place import is_among

#: After a ping of a neighbor, its messages count as arriving for so long; releases before 1.1 send one a minute.
ARRIVING_SECONDS = 150.0


def arrives(heard: Heard, now: float) -> bool:
    """Return whether messages of the neighbor reach this cell, although it may not answer."""
    if heard.asked_at is None or now - heard.asked_at > ARRIVING_SECONDS:
        return False
    # A ping from before the silence is no sign: the neighbor may have been stopped since then.
    return heard.probe.asked_since is None or heard.asked_at >= heard.probe.asked_since


def way_of(heard: Heard, state: State, now: float) -> str:
    """Return the directions in which the link works: ``both``, ``in``, ``none``, or empty if that is not known."""
    if state is State.UP:
        return "both" if heard.probe.answered_at is not None else "in"
    if state is State.UNKNOWN:
        return ""
    return "in" if arrives(heard, now) else "none"


def problem_of(  # noqa: PLR0913  # each is one fact
    own_name: str,
    row: Neighbor,
    heard: Heard,
    state: State,
    now: float,
    *,
    own_urls: Sequence[str] = (),
    namesake: Neighbor | None = None,
) -> Problem | None:
    """Return the problem and its remedy; None if there is none.

    :param own_name: the name of this cell
    :param own_urls: URLs that lead to this cell itself
    :param namesake: another neighbor, at another broker, whose cell has the same name by its own account
    :param now: seconds of the monotonic clock
    """
    if state is State.UP:
        return (
            _twins(row, heard) or _apart(row, heard, now) or _same_name(heard, row, namesake) or _other_name(row, heard)
        )
    if state is State.UNREACHABLE:
        text = heard.probe.problem or f"The broker of {row.name} did not take the last message."
        return Problem("neighbor_broker", text)
    if state is State.UNKNOWN:
        return None
    if heard.probe.problem:
        return Problem("neighbor_broker", heard.probe.problem)
    return _answers_as_another(row, heard) or _own_place(row, own_urls) or _silence(own_name, row, heard, now)


def _twins(row: Neighbor, heard: Heard) -> Problem | None:
    host = heard.managers.twin_host
    if host is None:
        return None
    return Problem(
        "managers_with_one_host",
        f"Two managers of {row.name} have the same host name, {host}, and take each other's answers: give each its own "
        "[DEFAULT] host.",
    )


def _apart(row: Neighbor, heard: Heard, now: float) -> Problem | None:
    if heard.managers.apart is None or not heard.managers.are_apart(now):
        return None
    first, second = heard.managers.apart
    return Problem(
        "managers_differ",
        f"The managers {first:.80} and {second:.80} answer as {row.name}, and have different neighbors. If they are "
        "two cells, give each its own [cells] name, and a virtual host in [DEFAULT] transport_url. If they are one "
        "cell, give both the same [database] connection.",
    )


def _same_name(heard: Heard, row: Neighbor, namesake: Neighbor | None) -> Problem | None:
    if namesake is None:
        return None
    return Problem(
        "duplicate_name",
        f"The cells at the brokers of {row.name} and {namesake.name} both call themselves "
        f"{heard.description.get('name')!r:.80}: give each cell its own [cells] name, and register it under that name.",
    )


def _answers_as_another(row: Neighbor, heard: Heard) -> Problem | None:
    other = heard.probe.other_name
    if not other:
        return None
    return Problem(
        "duplicate_name",
        f"The cell at the broker of {row.name} answers as {other:.80}, which is the name of another neighbor: give "
        f"each cell its own [cells] name, and register it under that name in place of {row.name}.",
    )


def _other_name(row: Neighbor, heard: Heard) -> Problem | None:
    name = heard.description.get("name")
    if not isinstance(name, str) or name == row.name:
        return None
    return Problem(
        "name_mismatch",
        f"The cell at the broker of {row.name} calls itself {name!r:.80}: register it under its [cells] name.",
    )


def _own_place(row: Neighbor, own_urls: Sequence[str]) -> Problem | None:
    if not is_among(row.transport_url, own_urls):
        return None
    return Problem(
        "url_of_this_cell",
        f"The transport URL of {row.name} leads to the broker and virtual host of this cell itself: set the URL of "
        f'{row.name} with "cells neighbor set {row.name} --transport-url ...".',
    )


def _silence(own_name: str, row: Neighbor, heard: Heard, now: float) -> Problem:
    kind = "child" if row.is_parent else "parent"
    register = f'"cells neighbor create {own_name} --type {kind} ..." there'
    if heard.probe.receivers == 0:
        return Problem(
            "neighbor_manager_down",
            f"No manager of {row.name} runs: start cells-manager there (nova-cells in a cell of Nova).",
        )
    if arrives(heard, now):
        return Problem(
            "neighbor_one_way",
            f"Messages of {row.name} arrive, but it does not answer: its row for {own_name} has another transport URL "
            f"than this cell, or this cell's row for {row.name} leads to another broker.",
        )
    if heard.probe.receivers is None:
        return Problem(
            "neighbor_silent",
            f"{row.name} does not answer: no manager runs there, or it does not know this cell (run {register}).",
        )
    if heard.probe.answered_at is None:
        return Problem(
            "one_way_registration",
            f"A manager of {row.name} runs and does not know this cell: run {register}. If {own_name} is registered "
            "there, its row has another transport URL than this cell, or belongs to another cell of the same name.",
        )
    return Problem(
        "neighbor_hangs",
        f"A manager of {row.name} runs, but no longer answers: it hangs, or this cell was removed there ({register}).",
    )


def problem_of_stranger(name: str) -> Problem:
    """Return the problem of a cell that sends to this cell and is not registered here."""
    return Problem(
        "one_way_registration",
        f"{name} sends messages to this cell, which does not know it and cannot answer: register it here with "
        f'"cells neighbor create {name} --type ...", or remove this cell there.',
    )
