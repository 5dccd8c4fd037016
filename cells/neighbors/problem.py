"""Problem: the problem of the link to a neighbor, with a name for programs and a text for operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One problem of one link.  The names are explained in :mod:`cells.doctor.catalog`, which has an entry for each."""

    name: str
    #: one sentence with the remedy
    text: str
