"""Functions on private attributes of oslo.messaging."""

from __future__ import annotations

import socket

import pytest

from cells import conf as cells_conf
from cells.transport.errors import BROKER_ERRORS
from cells.transport.internals import consumers
from cells.transport.link import open_link


@pytest.mark.timeout(60)
def test_a_broker_that_is_away_has_no_count_of_consumers() -> None:
    """A neighbor that is removed because its broker is gone must leave no thread behind."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        transport = open_link(cells_conf.load([]), f"rabbit://guest:guest@127.0.0.1:{unused.getsockname()[1]}/", 1)
        try:
            with pytest.raises(BROKER_ERRORS):
                consumers(transport, "cells")
        finally:
            transport.cleanup()
