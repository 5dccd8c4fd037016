"""RabbitMQ 4.3, where transient queues are permitted and where they are denied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.profiles import FIVE, THREE, Deployment, ProfileContract, deployed
from tests.integration.processes import OPTIONS, make_manager
from tests.integration.transports import CellTransport
from tests.profiles.conftest import NAMES, StartNode
from tools.broker_node import BrokerNode
from tools.broker_profiles import PROFILES, QUORUM
from tools.manager_process import ManagerProcess
from tools.polling import poll

SETTING = "deprecated_features.permit.transient_nonexcl_queues"


@pytest.fixture(scope="module")
def denying(start_node: StartNode) -> BrokerNode:
    return start_node(f"{SETTING} = false")


@pytest.fixture(scope="module", params=["permitted", "denied"])
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start_node: StartNode
) -> Iterator[Deployment]:
    """All profiles where transient queues are permitted, and the profiles without such queues where they are denied."""
    if request.param == "permitted":
        node, shape, profiles = start_node(f"{SETTING} = true"), FIVE, PROFILES
    else:
        node, shape = request.getfixturevalue("denying"), THREE
        profiles = {name: PROFILES[name] for name in ("kolla-ansible", "rhoso", "openstack-helm")}
    urls = map(node.url, NAMES)
    with deployed(tmp_path_factory.mktemp(request.param), shape, profiles, lambda: next(urls)) as running:
        yield running


class TestRabbitMQ43(ProfileContract):
    """Each cell has another profile."""


@pytest.fixture
def manager_on(denying: BrokerNode, tmp_path: Path) -> Iterator[ManagerProcess]:
    """A manager with the default options."""
    url = denying.url(NAMES[-1])
    manager = make_manager(tmp_path, "api", CellTransport(url, url, {}), options=OPTIONS)
    manager.sync_database()
    try:
        yield manager.start()
    finally:
        manager.kill()


def errors(manager: ManagerProcess) -> list[str]:
    """Return the lines of the log at ERROR."""
    return [line for line in manager.log().splitlines() if " ERROR " in line]


def test_a_denied_queue_is_one_error_with_the_options_to_set(manager_on: ManagerProcess) -> None:
    """(case A6)"""
    manager = manager_on
    poll(lambda: errors(manager), "the manager logs an error", timeout_seconds=30)
    (line,) = errors(manager)[:1]
    assert [option for option in QUORUM if option not in line] == []
    assert {line.partition(" ERROR ")[2] for line in errors(manager)} == {line.partition(" ERROR ")[2]}
    manager.terminate()
    file = manager.config_file
    file.write_text(file.read_text() + "[oslo_messaging_rabbit]\n" + "".join(f"{name} = true\n" for name in QUORUM))
    manager.start().wait_ready()
