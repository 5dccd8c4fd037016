"""Scenarios of a tree whose brokers have the options of a deployment: each profile has to pass them all.

A module that runs them subclasses ProfileContract and defines a fixture ``deployment``.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher as rpc_dispatcher

from cells import conf as cells_conf
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from tests.integration.probe import TOPIC
from tests.integration.processes import Shape, Tree, merged
from tests.integration.service_process import PROBE, Services, write_configuration
from tests.integration.transports import CellTransport
from tools.broker_profiles import Profile
from tools.manager_process import ManagerProcess
from tools.polling import poll

THREE: Shape = {"api": {"east": {"az1": {}}}}
FIVE: Shape = {"api": {"east": {"az1": {}}, "west": {"az2": {}}}}
TIMEOUT_SECONDS = 15.0
CASTS = 20
COMMANDS = 2


class Deployment:
    """A tree, a service in each of its cells, and clients."""

    def __init__(self, directory: Path, shape: Shape, profiles: Mapping[str, Profile], take: Callable[[], str]) -> None:
        """:param profiles: by name of the cell"""
        profile_of_next = iter(profiles.values())

        def next_transport() -> CellTransport:
            url = take()
            return CellTransport(url, url, {"oslo_messaging_rabbit": next(profile_of_next)})

        self.directory = directory
        self.tree = Tree(
            directory / "managers",
            shape,
            next_transport,
            options={
                "DEFAULT": {"rpc_ping_enabled": True},
                "cells": {"allowed_services": TOPIC},
            },
            cell_options={"az1": {"cells": {"capabilities": "hypervisor=kvm"}}},
        )
        self.services = Services(directory, self.tree, transports=None)  # type: ignore[arg-type]  # not used here
        for name in self.tree.paths:
            self._configure_service(name)
        self._marks = itertools.count()
        self._open: list[Any] = []

    def _configure_service(self, cell: str) -> None:
        transport = self.tree.transports[cell]
        # As a deployer has to: the names of its own for each service, and a directory for locks.
        own = {
            "oslo_concurrency": {"lock_path": self.directory / "locks"},
            "oslo_messaging_rabbit": {"processname": f"probe-{cell}"},
        }
        options = merged(transport.options, own)
        write_configuration(
            self.directory / f"{cell}-services.conf", transport._replace(options=options), self.tree[cell].connection
        )

    def start(self) -> Deployment:
        """Start the managers and the services."""
        self.tree.start()
        for started in [self.services.begin(PROBE, cell) for cell in self.tree.paths]:
            started.wait_ready()
        return self

    def stop(self) -> None:
        """Stop all processes."""
        for transport in self._open:
            transport.cleanup()
        self.services.stop()
        self.tree.stop()

    def service(self, cell: str) -> Any:
        """Return a client of the services in other cells, for a service in ``cell``."""
        return self.services.client(cell, TOPIC, timeout=TIMEOUT_SECONDS)

    def manager(self, cell: str) -> CellsAPI:
        """Return a client of the manager of ``cell``, for a service there."""
        return CellsAPI(self.services.transport(cell), timeout=TIMEOUT_SECONDS)

    def transport(self, manager: ManagerProcess) -> Any:
        """Return a transport to the broker of a manager, with its configuration."""
        self._open.append(open_transport(cells_conf.load([manager.config_file])))
        return self._open[-1]

    def mark(self) -> Path:
        """Return a file in which services note the requests that they have run."""
        return self.directory / f"mark{next(self._marks)}"


@contextlib.contextmanager
def deployed(
    directory: Path, shape: Shape, profiles: Mapping[str, Profile], take: Callable[[], str]
) -> Iterator[Deployment]:
    """A running deployment."""
    deployment = Deployment(directory, shape, profiles, take)
    try:
        yield deployment.start()
    finally:
        deployment.stop()


def everywhere(profile: Profile) -> Mapping[str, Profile]:
    """Return the profile for each cell of THREE."""
    return dict.fromkeys(("api", "east", "az1"), profile)


def notes(mark: Path) -> list[str]:
    """Return what services have noted, sorted."""
    return sorted(mark.read_text().split()) if mark.exists() else []


class ProfileContract:
    """The scenarios."""

    def test_calls_up_and_down(self, deployment: Deployment) -> None:
        """(case A2)"""
        context = get_admin_context()
        assert deployment.manager("api").call(context, "api!east!az1", "ping")["path"] == "api!east!az1"
        assert deployment.manager("az1").call(context, "api", "ping")["path"] == "api"

    def test_a_broadcast_is_answered_by_every_cell(self, deployment: Deployment) -> None:
        answers = deployment.manager("api").broadcast_call(get_admin_context(), "ping", direction="down")
        assert {answer.cell for answer in answers if answer.error is None} == set(deployment.tree.paths.values())

    def test_services_are_called_in_one_cell_and_in_all(self, deployment: Deployment) -> None:
        client = deployment.service("api")
        assert client.prepare(cell="api!east!az1").call({}, "echo", value=1)["host"] == "az1"
        paths = deployment.tree.paths
        answers = client.prepare(cells=list(paths.values())).multicall({}, "echo", value=2)
        assert {(cell, answer["host"]) for cell, answer in answers} == {(path, name) for name, path in paths.items()}

    def test_casts_and_fan_outs_run_once(self, deployment: Deployment) -> None:
        mark, client = deployment.mark(), deployment.service("api")
        expected = [f"cast{number}" for number in range(CASTS)] + [f"fanout{number}" for number in range(CASTS)]
        for text in expected:
            sender = client.prepare(cell="api!east!az1", fanout=text.startswith("fanout") or None)
            sender.cast({}, "note", mark=str(mark), text=text)
        poll(lambda: len(notes(mark)) >= len(expected), "all casts have run")
        assert notes(mark) == sorted(expected)

    def test_capabilities_reach_the_top(self, deployment: Deployment) -> None:
        api = deployment.manager("api")
        poll(lambda: api.capabilities(get_admin_context()) == {"hypervisor": ["kvm"]}, "api knows those of az1")

    def test_commands_at_a_time_get_their_own_answers(self, deployment: Deployment) -> None:
        """(case A5)"""
        manager = deployment.tree["east"]
        targets = ["api!east!az1", "api", "api!east"] * COMMANDS
        with ThreadPoolExecutor(COMMANDS) as pool:
            answers = pool.map(lambda target: manager.cells("call", target, "ping", "-f", "json").json(), targets)
        assert [answer["path"] for answer in answers] == targets

    def test_the_servers_of_a_manager_answer_pings(self, deployment: Deployment) -> None:
        """(case A4)"""
        manager = deployment.tree["east"]
        transport = deployment.transport(manager)
        for topic in ("cells", "cells.intercell.targeted"):
            target = oslo_messaging.Target(topic=topic, server=manager.host)
            client = oslo_messaging.get_rpc_client(transport, target, timeout=TIMEOUT_SECONDS)
            assert client.call({}, "oslo_rpc_server_ping") == rpc_dispatcher.PingEndpoint().oslo_rpc_server_ping({})

    def test_a_restarted_manager_runs_nothing_again_and_serves_on(self, deployment: Deployment) -> None:
        """(case A3)"""
        mark, client, relay = deployment.mark(), deployment.service("api"), deployment.tree["east"]
        send = client.prepare(cell="api!east!az1", fanout=True).cast
        send({}, "note", mark=str(mark), text="before")
        poll(lambda: notes(mark), "the fan-out has run")
        for manager in (relay, deployment.tree["az1"]):
            assert manager.terminate() == 0
        for manager in (relay, deployment.tree["az1"]):
            manager.start()
        for manager in (relay, deployment.tree["az1"]):
            manager.wait_ready()
        deployment.tree.wait_formed()
        send({}, "note", mark=str(mark), text="after")
        poll(lambda: "after" in notes(mark), "the second fan-out has run")
        assert notes(mark) == ["after", "before"]
        self.test_capabilities_reach_the_top(deployment)
