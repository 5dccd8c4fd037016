"""Trees in which all cells have the broker options of one deployment tool, on the machine's RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.profiles import THREE, Deployment, ProfileContract, deployed, everywhere
from tests.integration.rabbitmq import VirtualHostPool
from tools.broker_profiles import PROFILES

pytestmark = pytest.mark.rabbitmq


@pytest.fixture(scope="module", params=PROFILES)
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool
) -> Iterator[Deployment]:
    profiles = everywhere(PROFILES[request.param])
    with deployed(tmp_path_factory.mktemp("profile"), THREE, profiles, rabbitmq.take) as running:
        yield running


class TestEachProfile(ProfileContract):
    """Each profile in a tree of its own."""
