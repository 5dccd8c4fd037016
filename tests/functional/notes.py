"""Endpoint that records its calls, for messages without an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import wait_for


class Notes:
    """Records of the endpoint ``note``: cell and text of each call."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    def endpoint(self, *, blocks: bool = True) -> Callable[..., Any]:
        """Return the endpoint; with ``blocks=False`` it runs in the order of the messages."""

        @endpoint(blocks=blocks)
        def note(call: Call, text: str) -> None:
            self.taken.append((str(call.route), text))

        return note

    def wait_for(self, *expected: tuple[str, str]) -> None:
        """Wait until exactly these records exist, in any order."""
        wait_for(lambda: len(self.taken) >= len(expected), f"{expected} are recorded, not {self.taken}")
        assert sorted(self.taken) == sorted(expected)
