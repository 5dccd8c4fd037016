"""Fixtures of the mixed-version test: servers and the two releases."""

from __future__ import annotations

import pytest

from tests.integration.rabbitmq import rabbitmq
from tests.upgrade.releases import NoHistory, Release, install_old_release, new_release

__all__ = ["new", "old", "rabbitmq"]


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The old release."""
    try:
        return install_old_release(tmp_path_factory.mktemp("old"))
    except NoHistory as error:
        # With CI=true tests/conftest.py turns the skip into a failure.
        pytest.skip(f"no old release: {error}")


@pytest.fixture(scope="session")
def new() -> Release:
    """The tested release."""
    return new_release()
