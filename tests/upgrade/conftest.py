"""The servers and the two releases of the mixed-version test."""

from __future__ import annotations

import pytest

from tests.integration.rabbitmq import rabbitmq
from tests.upgrade.releases import NoHistory, Release, install_old_release, new_release

__all__ = ["new", "old", "rabbitmq"]


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release that is upgraded from."""
    try:
        return install_old_release(tmp_path_factory.mktemp("old"))
    except NoHistory as error:
        # Under CI=true, tests/conftest.py makes a failure of it.
        pytest.skip(f"no old release: {error}")


@pytest.fixture(scope="session")
def new() -> Release:
    """The release that is tested."""
    return new_release()
