"""A process that eventlet has patched is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cells import exceptions
from cells.brokerless.concurrency import check_threads


def test_a_patched_process_is_refused() -> None:
    """(case H1)"""
    check_threads()
    with pytest.raises(exceptions.ConfigurationError, match="eventlet"):
        check_threads(SimpleNamespace(select=None))
