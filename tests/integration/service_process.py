"""Services of the cells of a tree: servers in separate processes, clients in the process of the tests.

Both have the configuration file of a service, which names the transport of the cell,
not the file of the manager.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg

import cells.rpc
from cells.transport.opening import register_options
from tests.integration.probe import TOPIC
from tests.integration.processes import Tree
from tests.integration.transports import CellTransport, RabbitMQTransports, Transports, ZmqTransports
from tools.manager_process import ProcessError
from tools.polling import poll

ROOT = Path(__file__).parents[2]
#: Directory of the example in the user guide.
INVENTORY = ROOT / "doc" / "source" / "examples" / "inventory"
GUIDE = ROOT / "doc" / "source" / "user" / "services.rst"
PROBE = Path(__file__).with_name("probe.py")
READY = " serves"

#: Two hops away from the top.
FAR = "api!east!az1"
#: A cell with a killed manager, which its neighbors still know.
DEAD = "south"
#: Cells with a server of the probe; its name is the name of the cell.
SERVING = ("api", "east", "az1", "west")
#: Servers of the example, in the cell FAR.
ONE, TWO = "one", "two"


class ServiceProcess:
    """Process of a service.

    :param name: of the server (``[DEFAULT] host``)
    """

    def __init__(self, script: Path, config_file: Path, name: str) -> None:
        self._name = name
        self._log_file = config_file.with_suffix(f".{script.parent.name}.{name}.log")
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(script), "--config-file", str(config_file), "--host", name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=script.parent,
                start_new_session=True,
            )

    def wait_ready(self) -> ServiceProcess:
        """Wait until the service reports that it serves."""
        poll(self._is_ready_or_dead, f"{self._name} serves", 120.0, pause_seconds=0.02)
        return self

    def kill9(self) -> None:
        """Kill the process.  May be called twice."""
        self._process.kill()
        self._process.wait()

    def _is_ready_or_dead(self) -> bool:
        log = self._log_file.read_text()
        if READY in log:
            return True
        if self._process.poll() is not None:
            raise ProcessError(f"{self._name} ended with {self._process.returncode}:\n{log[-3000:]}")
        return False


class Services:
    """The services of a tree."""

    def __init__(self, directory: Path, tree: Tree, transports: Transports) -> None:
        self.directory = directory
        self.tree = tree
        self.transports = transports
        self._servers: list[ServiceProcess] = []
        self._transports: dict[str, Any] = {}

    def config_file(self, cell: str) -> Path:
        """Return the text of the configuration file of a service of this cell."""
        path = self.directory / f"{cell}-services.conf"
        if not path.exists():
            write_configuration(path, self.tree.transports[cell], self.tree[cell].connection)
        return path

    def begin(self, script: Path, cell: str, name: str | None = None) -> ServiceProcess:
        """Start a server, by default with the name of its cell, without waiting for it."""
        self._servers.append(ServiceProcess(script, self.config_file(cell), name or cell))
        return self._servers[-1]

    def transport(self, cell: str) -> Any:
        """Return the transport of a service of this cell, which rebuilds the errors of the example."""
        if cell not in self._transports:
            self._transports[cell] = open_transport(self.config_file(cell))
        return self._transports[cell]

    def client(self, cell: str, topic: str, version: str = "1.0", **options: Any) -> cells.rpc.RPCClient:
        """Return a client of cells.rpc for a service of this cell."""
        target = oslo_messaging.Target(topic=topic, version=version)
        return cells.rpc.get_rpc_client(self.transport(cell), target, **options)

    def plain_client(self, cell: str, topic: str, version: str = "1.0", **options: Any) -> Any:
        """Return a plain oslo.messaging client."""
        target = oslo_messaging.Target(topic=topic, version=version)
        return oslo_messaging.get_rpc_client(self.transport(cell), target, **options)

    def stop(self) -> None:
        """Stop the servers and close the transports."""
        for server in self._servers:
            server.kill9()
        # Each transport waits seconds for the end of its thread.
        with ThreadPoolExecutor(max(1, len(self._transports))) as pool:
            list(pool.map(lambda transport: transport.cleanup(), self._transports.values()))


@pytest.fixture(scope="session", params=[pytest.param("rabbitmq", marks=pytest.mark.rabbitmq), "zmq"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One tree per transport, with servers in its cells, shared by all test modules, because its start is slow."""
    # A short path, because the path of a socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="cells-") as sockets:
        transports: Transports = (
            RabbitMQTransports(request.getfixturevalue("rabbitmq"))
            if request.param == "rabbitmq"
            else ZmqTransports(Path(sockets))
        )
        tree = Tree(
            tmp_path_factory.mktemp("services"),
            {"api": {"east": {"az1": {}}, "west": {}, DEAD: {}}},
            transports.take,
            options={"cells": {"allowed_services": TOPIC}},
            cell_options={
                "az1": {"cells": {"allowed_services": "*", "capabilities": "hypervisor=kvm,version=2.5"}},
                "west": {"cells": {"capabilities": "hypervisor=xen,version=1.9"}},
            },
        )
        services = Services(tmp_path_factory.mktemp("servers"), tree, transports)
        try:
            tree.start()
            started = [services.begin(PROBE, cell) for cell in SERVING]
            started += [services.begin(INVENTORY / "server.py", "az1", name) for name in (ONE, TWO)]
            for server in started:
                server.wait_ready()
            tree[DEAD].kill9()
            yield services
        finally:
            services.stop()
            tree.stop()


def write_configuration(path: Path, transport: CellTransport, connection: str) -> None:
    """Write the configuration file of an independent service.

    :param connection: database of its cell, which contains the registry of a brokerless cell
    """
    lines = ["[DEFAULT]", f"transport_url = {transport.url}"]
    for section, options in transport.options.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in options.items())]
    if transport.url.startswith("zmq"):
        lines += [f"matchmaker_connection = {connection}"]
    path.write_text("\n".join([*lines, ""]))


def open_transport(config_file: Path) -> Any:
    """Open the transport of a service with this configuration."""
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(config_file)], project="service", default_config_dirs=[])
    # In the global configuration of a service, oslo.messaging registers this group itself.
    register_options(conf)
    return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=["inventory_errors"])


def run_example(script: str, config_file: Path, timeout_seconds: float = 50.0) -> str:
    """Run a script of the example to its end, as in the user guide; return its output."""
    done = subprocess.run(
        [sys.executable, script, "--config-file", str(config_file)],
        cwd=INVENTORY,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise ProcessError(f"{script} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def guide_output() -> list[str]:
    """Return the output of the example's client in the user guide."""
    (shown,) = re.findall(r"^    \$ python client\.py .*\n((?:    .*\n)+)", GUIDE.read_text(), flags=re.MULTILINE)
    return [line.strip() for line in shown.splitlines()]
