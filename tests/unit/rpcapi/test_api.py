"""The client of the manager: what it refuses before it sends anything."""

from __future__ import annotations

from typing import Any

import pytest

from cells import conf as cells_conf
from cells import exceptions
from cells.rpcapi import CellsAPI
from cells.rpcapi.api import VERSION
from cells.transport import open_transport


@pytest.fixture(scope="module")
def transport() -> Any:
    return open_transport(cells_conf.load([]), "fake:")


@pytest.mark.parametrize("cap", ["grizzly", "", "0.9", "2.0", "1.x"])
def test_cap_that_can_not_be_kept_is_an_error_at_once(transport: Any, cap: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=r"\[upgrade_levels\] cells = .* 1\.0"):
        CellsAPI(transport, version_cap=cap)


@pytest.mark.parametrize("cap", [None, VERSION, "1.7"])
def test_cap_that_can_be_kept(transport: Any, cap: str | None) -> None:
    CellsAPI(transport, version_cap=cap)
