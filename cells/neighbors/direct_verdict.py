"""The problem of a direct link, and the remedy, in one sentence for an operator.  Pure.

The driver knows the state of such a link without a probe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cells.neighbors.neighbor import Neighbor
from cells.neighbors.problem import Problem
from cells.neighbors.table import State


def problem_of(own_name: str, row: Neighbor, link: Mapping[str, Any], state: State) -> Problem | None:
    """Return the problem and its remedy; None if there is none, or if it is no problem of the link.

    :param own_name: the name of this cell
    :param link: the status of the link, as its driver returns it
    :param state: of the neighbor
    """
    if state in (State.UNREACHABLE, State.RECONNECTING):
        return _no_connection(own_name, row, link)
    if state in (State.SILENT, State.MUTE):
        return Problem(
            "neighbor_hangs",
            f"{row.name} is connected{_way(link)} and does not answer: its managers hang, or its row for {own_name} "
            'has another driver and refuses the messages; look for WrongLink in "cells status" there.',
        )
    return None


def finding_of(row: Neighbor, warnings: Sequence[str]) -> Problem | None:
    """Return the problem of a link that works; None if there is none.

    :param warnings: about certificates that end soon
    """
    if warnings:
        return Problem("certificate_expires", warnings[0])
    if row.also_accept is not None:
        return Problem(
            "move_unfinished",
            f"Messages of {row.name} are accepted over the driver {row.also_accept}, too: when its link has moved, "
            f'"cells neighbor set {row.name} --also-accept none" ends that.',
        )
    return None


def _way(link: Mapping[str, Any]) -> str:
    """Return which managers hold the connections; empty if none does any more."""
    own = ", ".join(manager["host"] for manager in link.get("managers", ()))
    siblings = ", ".join(link.get("through", ()))
    if own:
        return f" (its managers: {own})"
    return f" (through manager {siblings} of this cell)" if siblings else ""


def _no_connection(own_name: str, row: Neighbor, link: Mapping[str, Any]) -> Problem:
    if not row.certificates and row.certificate_path is None:
        return Problem(
            "certificate_unusable",
            f"No certificate of {row.name} is registered here, so no connection is accepted: "
            f'"cells neighbor set {row.name} --certificate FILE", with its file "cell.crt".',
        )
    if link.get("problem"):
        return Problem("link_down", f"No manager of {row.name} is connected: {link['problem']}")
    if row.dials_in:
        return Problem(
            "link_down",
            f"No manager of {row.name} has connected: start cells-manager there, with the address of this manager "
            f"([cells_direct] listen) and the certificate of {own_name} in its row for {own_name}.",
        )
    return Problem(
        "link_down",
        f"No manager of {row.name} is connected: start cells-manager there, and check {row.addresses}.",
    )
