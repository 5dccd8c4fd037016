"""A call through two processes that only forward it: the floor for a call over one hop."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.plain import PlainCall, running
from bench.sketch_manager import TOPIC


class Sketch(PlainCall):
    """The two processes and a client; they run during the ``with`` block."""

    topic = TOPIC

    def __init__(self, url: str, place: Path) -> None:
        """:param place: directory for a socket and lock files; its path must be short"""
        super().__init__(url, place)
        self._address = f"ipc://{place}/sketch"

    def _serve(self, stack: contextlib.ExitStack) -> None:
        stack.enter_context(running("bench.sketch_manager", "answer", self._address))
        stack.enter_context(running("bench.sketch_manager", "forward", self._address, self._url, str(self._state_path)))
