"""Upgrade of a tree of real managers from old code, cell by cell, under load: no message fails, is lost or runs twice.

Each cell has one manager, so between the end of the old one and the start of the
new one there is none.  Messages for the cell then wait in its broker.  The load
runs all the time, except for the second in which a manager of the old release stops:
see :mod:`tests.upgrade.old_release`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.servers import MYSQL_URL, POSTGRESQL_URL, fresh_database
from tests.upgrade.load import Load
from tests.upgrade.old_release import OLD_VERSION
from tests.upgrade.releases import Release
from tests.upgrade.upgrade_tree import LINKS, UpgradeTree

pytestmark = pytest.mark.rabbitmq

SHOWN_FAULTS = 20
BOTTOM_UP = ["az1", "east", "west", "api"]


def test_from_the_bottom_up_and_one_cell_back(
    tmp_path: Path, rabbitmq: VirtualHostPool, old: Release, new: Release
) -> None:
    with started(UpgradeTree(tmp_path, rabbitmq.take, old)) as tree, tree.load(old, new) as load:
        upgrade(tree, BOTTOM_UP, new, load)
        go_back(tree, "east", old, load)
        assert_no_fault(load)


@pytest.mark.postgresql
@pytest.mark.mariadb
def test_from_the_top_down(tmp_path: Path, rabbitmq: VirtualHostPool, old: Release, new: Release) -> None:
    with fresh_database(POSTGRESQL_URL) as postgresql_url, fresh_database(MYSQL_URL) as mariadb_url:
        connections = {"api": postgresql_url, "east": mariadb_url}
        with started(UpgradeTree(tmp_path, rabbitmq.take, old, connections)) as tree, tree.load(old, new) as load:
            upgrade(tree, BOTTOM_UP[::-1], new, load)
            assert_no_fault(load)


@contextlib.contextmanager
def started(tree: UpgradeTree) -> Iterator[UpgradeTree]:
    try:
        yield tree.start()
    finally:
        tree.stop()


def upgrade(tree: UpgradeTree, order: Sequence[str], new: Release, load: Load) -> None:
    """Upgrade all cells; the versions of the links rise automatically."""
    load.wait_for_more()
    for name in order:
        tree.upgrade(name, new, load)
        load.wait_for_more()
    version = new.identity()["version"]
    tree.wait_for_versions(dict.fromkeys(LINKS, version))
    load.wait_for_more()


def go_back(tree: UpgradeTree, name: str, old: Release, load: Load) -> None:
    """Downgrade a cell as in the upgrade guide: cap its neighbors, then replace it.  Its tables stay."""
    neighbors = [cell for cell, neighbor in LINKS if neighbor == name]
    for neighbor in neighbors:
        tree[neighbor].succeed("neighbor", "set", name, "--version-cap", OLD_VERSION)
    tree.wait_for_versions({(neighbor, name): OLD_VERSION for neighbor in neighbors})
    tree.replace(name, old, load)
    load.wait_for_more()


def assert_no_fault(load: Load) -> None:
    load.finish()
    faults = load.faults()
    assert not faults, "\n".join([f"{len(faults)} faults:", *faults[:SHOWN_FAULTS]])
