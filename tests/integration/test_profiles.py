"""A tree in which each cell has the broker options of another deployment tool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.profiles import FIVE, Deployment, ProfileContract, deployed
from tests.integration.rabbitmq import VirtualHostPool
from tools.broker_profiles import PROFILES

pytestmark = [pytest.mark.rabbitmq, pytest.mark.long]

#: The order in which a tree takes its transports.
CELLS = ("api", "east", "az1", "west", "az2")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Deployment]:
    profiles = dict(zip(CELLS, PROFILES.values(), strict=True))
    with deployed(tmp_path_factory.mktemp("profiles"), FIVE, profiles, rabbitmq.take) as running:
        yield running


class TestMixedProfiles(ProfileContract):
    """Each cell has another profile."""
