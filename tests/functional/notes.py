"""An endpoint that leaves a trace, for messages that nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cells.endpoints import Call, endpoint
from tests.functional.cell_tree import wait_for


class Notes:
    """Which cell was told what through the endpoint ``note``."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    def endpoint(self) -> Callable[..., Any]:
        @endpoint
        def note(call: Call, text: str) -> None:
            self.taken.append((str(call.route), text))

        return note

    def wait_for(self, *expected: tuple[str, str]) -> None:
        """Wait until exactly these have been taken, in any order."""
        wait_for(lambda: len(self.taken) >= len(expected), f"{expected} are noted, not {self.taken}")
        assert sorted(self.taken) == sorted(expected)
