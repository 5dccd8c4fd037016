"""Five cells on a node of their own, and ``cells doctor`` with its time limit."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import Tree
from tools import broker_node
from tools.broker_node import BrokerNode
from tools.manager_process import Finished, ManagerProcess, program
from tools.polling import poll

#: ``cells doctor`` ends in this time, whatever has failed.
LIMIT_SECONDS = 15.0
CELLS = ("api", "east", "west", "az1", "az2")
SPARE = "spare"


class Examined:
    """The result of one ``cells doctor``."""

    def __init__(self, done: Finished) -> None:
        self.status = done.returncode
        assert done.stderr == ""
        self.value: dict[str, Any] = Finished(0, done.stdout, "").json()
        assert self.value["status"] == self.status

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """Name, cell and subject of each finding."""
        return [(one["name"], one["cell"], one["subject"]) for one in self.value["findings"]]


def doctor(manager: ManagerProcess, *options: str, overrides: Path | None = None) -> Examined:
    """Run ``cells doctor`` with the configuration of a manager.

    :param overrides: a further configuration file
    """
    files = [manager.config_file, *([overrides] if overrides else [])]
    words = [word for file in files for word in ("--config-file", str(file))]
    started_at = time.monotonic()
    done = subprocess.run(
        [program("cells"), *words, "doctor", "-f", "json", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - started_at < LIMIT_SECONDS
    return Examined(Finished(done.returncode, done.stdout, done.stderr))


def wait_until_well(manager: ManagerProcess) -> None:
    """Wait until the planted fault is over for the manager, too."""
    poll(lambda: doctor(manager).status == 0, f"cells doctor finds nothing in {manager.name}", 60)


@contextlib.contextmanager
def changed(manager: ManagerProcess, name: str, *options: str) -> Iterator[None]:
    """Change the row of a neighbor for a block; the manager reads it at once."""
    before = manager.succeed("neighbor", "show", name, "--show-secrets", "-f", "json").json()
    manager.succeed("neighbor", "set", name, *options)
    manager.hup()
    try:
        yield
    finally:
        cap = before["version_cap"] or "none"
        manager.succeed("neighbor", "set", name, "--transport-url", before["transport_url"], "--version-cap", cap)
        manager.hup()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerNode]:
    """A node with a virtual host for each cell, and a spare one."""
    if not broker_node.is_installed():
        pytest.skip("no programs rabbitmq-server and rabbitmqctl")
    with BrokerNode(tmp_path_factory.mktemp("rabbitmq"), [*CELLS, SPARE], schedulers=1) as broker:
        yield broker


@pytest.fixture(scope="module")
def tree(node: BrokerNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    shape = {"api": {"east": {"az1": {}}, "west": {"az2": {}}}}
    urls = {name: node.url(name) for name in CELLS}
    tree = Tree(tmp_path_factory.mktemp("tree"), shape, lambda: "", urls=urls)
    try:
        yield tree.start()
    finally:
        tree.stop()
