"""Check of the answers to a broadcast, shared by the parts that measure broadcasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def check_answers(answers: Sequence[Any], cells: int) -> None:
    """:raises RuntimeError: the number of answers is not ``cells``, or an answer is an error"""
    failed = [answer.error for answer in answers if answer.error is not None]
    if failed or len(answers) != cells:
        raise RuntimeError(f"{cells} cells should answer a broadcast: {len(answers)} answers, errors: {failed}.")
