"""Which cases of a large product a test tries.

A run by hand tries few of them, with ``HYPOTHESIS_PROFILE=thorough``, as in CI, a run tries all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")

T = TypeVar("T")


def cases(everything: Iterable[T], few: Iterable[T]) -> list[T]:
    """Return all cases of ``everything`` in a thorough run, those of ``few`` in any other run."""
    tried = list(few)
    allowed = list(everything)
    assert all(case in allowed for case in tried), "The few cases are not among all cases"
    return allowed if PROFILE == "thorough" else tried
