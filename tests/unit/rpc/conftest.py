"""A transport that sends nothing: no server listens on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cells import conf as cells_conf
from cells.transport import open_transport


@pytest.fixture(scope="module")
def transport() -> Iterator[Any]:
    opened = open_transport(cells_conf.load([]), "zmq+ipc:///nowhere/1")
    yield opened
    opened.cleanup()
