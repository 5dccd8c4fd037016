"""The tree of one drill: five cells with real managers, two brokers, a database server, services, and proxies.

::

    api --(link)-- east -- az1
     |              '----- az2
    west

``east`` has a RabbitMQ node of its own, and its database is behind a proxy.  The other four
cells share a node.  The link between ``api`` and ``east`` goes through proxies: over RabbitMQ
one in front of each broker, and over direct links one in front of the manager of ``api``.
Everything is started for one drill and removed afterwards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

import sqlalchemy

from cells import conf as cells_conf
from cells import exceptions
from cells.context import get_admin_context
from cells.db import migration
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from drills import clocks, endpoints
from drills.kinds import SOURCES
from drills.link import BrokerLink, DirectLink
from drills.script import Script
from drills.service import TOPIC
from tools import endpoint_package
from tools.broker_node import BrokerNode
from tools.databases import POSTGRESQL_URL, fresh_database
from tools.direct_links import DirectLinks, Links
from tools.forwarder import Forwarder
from tools.manager_process import ManagerProcess
from tools.polling import poll

#: child -> parent
PARENTS = {"east": "api", "west": "api", "az1": "east", "az2": "east"}
NAMES = ("api", *PARENTS)
PATHS = ("api", "api!east", "api!west", "api!east!az1", "api!east!az2")
#: The cells with a service, which is the target of a client in another cell.
SERVING = ("az1", "west")
START_TIMEOUT_SECONDS = 120.0
_CONTEXT = get_admin_context()

Options = Mapping[str, Mapping[str, object]]


class Tree:
    """The running tree, during the ``with`` block.

    :param place: directory for all files
    :param managers: of the cell ``east``
    :param options: of all managers, services and clients
    :param clock_ahead_seconds: of the managers of ``east``
    :param links: driver of all links
    :ivar east_broker_down_at: the time at which the broker of ``east`` had ended, if it was stopped
    """

    def __init__(
        self,
        place: Path,
        *,
        managers: int = 1,
        options: Options | None = None,
        clock_ahead_seconds: int = 0,
        links: Links = "rpc",
    ) -> None:
        self._place = place
        self._links = links
        self._managers_of_east = managers
        self._options = {"cells": {"allowed_services": TOPIC}, **(options or {})}
        self.records = place / "records"
        self._env = {
            **endpoint_package.install(place / "endpoints", endpoints.__file__, "drills"),
            endpoints.RECORDS: str(self.records),
        }
        self._env_of_east = self._env
        if clock_ahead_seconds:
            wrong_clock = clocks.shifted(place / "clock", clock_ahead_seconds, self._env["PYTHONPATH"])
            self._env_of_east = {**self._env, **wrong_clock}
        self.east_broker_down_at: float | None = None

    def __enter__(self) -> Tree:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._close = stack.pop_all().close
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.broker = BrokerNode(self._place / "rabbitmq", [name for name in NAMES if name != "east"], schedulers=1)
        self.broker_of_east = BrokerNode(self._place / "rabbitmq-east", ["east"], schedulers=1)
        for broker in (self.broker, self.broker_of_east):
            stack.callback(broker.stop)
            broker.start()
        url = sqlalchemy.make_url(stack.enter_context(fresh_database(POSTGRESQL_URL)))
        self.database = Forwarder(url.host or "127.0.0.1", url.port or 5432)
        stack.callback(self.database.close)
        through = url.set(host="127.0.0.1", port=self.database.port).render_as_string(hide_password=False)
        self._direct: DirectLinks | None = None
        if self._links == "direct":
            self._direct = DirectLinks(self._place / "direct", PATHS, {"east": self._managers_of_east})
            stack.callback(self._direct.close)
        self.managers = {manager.host: manager for manager in self._make_managers(through)}
        for broker in (self.broker, self.broker_of_east):
            broker.wait_ready()
        self.link = self._make_link()
        stack.callback(self.link.close)
        self._register_neighbors()
        stack.callback(self._stop_managers)
        for host in self.managers:
            self.start_manager(host)
        self._services: dict[str, Script] = {}
        stack.callback(self._kill_services)
        for cell in SERVING:
            self.start_service(cell)
        for manager in self.managers.values():
            manager.wait_ready(START_TIMEOUT_SECONDS)
        self._wait_formed()

    def _make_managers(self, database_of_east: str) -> Iterator[ManagerProcess]:
        for name in NAMES:
            if name == "east":
                url, connection = self.broker_of_east.url(name), database_of_east
                hosts = [f"{name}-{number}" for number in range(1, self._managers_of_east + 1)]
            else:
                url, connection, hosts = self.broker.url(name), None, [name]
            for number, host in enumerate(hosts if len(hosts) > 1 else [name], 1):
                options = {**self._options, **(self._direct.options(name, number) if self._direct else {})}
                yield ManagerProcess(self._place, name, url, host=host, connection=connection, options=options)

    def _make_link(self) -> BrokerLink | DirectLink:
        if self._direct is None:
            return BrokerLink(self.broker, self.broker_of_east)
        return DirectLink(self._direct.row("api", is_parent=True))

    def _register_neighbors(self) -> None:
        # In this process: a command for each row takes longer than the rest of the start.
        for name, manager in {manager.name: manager for manager in self.managers.values()}.items():
            conf = cells_conf.load([manager.config_file])
            migration.sync(conf)
            database = Database(conf)
            for child, parent in PARENTS.items():
                if name == child:
                    database.create(self._row(name, parent, is_parent=True))
                elif name == parent:
                    database.create(self._row(name, child, is_parent=False))
            database.close()

    def _row(self, name: str, neighbor: str, *, is_parent: bool) -> Neighbor:
        """Return the row of a neighbor in the cell ``name``."""
        if self._direct is not None:
            row = self._direct.row(neighbor, is_parent=is_parent)
        else:
            broker = self.broker_of_east if neighbor == "east" else self.broker
            row = Neighbor(neighbor, broker.url(neighbor), is_parent=is_parent)
        return self.link.through(row) if {name, neighbor} == {"api", "east"} else row

    def _wait_formed(self) -> None:
        for source in SOURCES.values():
            with self._client(source.cell) as api:

                def is_formed() -> bool:
                    try:
                        api.call(_CONTEXT, source.target, "ping")  # noqa: B023  # called at once
                        answers = api.broadcast_call(_CONTEXT, "ping", direction=source.direction)  # noqa: B023
                    except exceptions.CellsError:
                        return False
                    return len([answer for answer in answers if answer.error is None]) == len(source.before)  # noqa: B023

                poll(is_formed, f"{source.cell} reaches its cells", START_TIMEOUT_SECONDS, pause_seconds=0.5)

    def wait_connected(self) -> float | None:
        """Wait until all direct links are connected; return the time, or None if there was nothing to wait for."""
        connected_at = None
        for name in NAMES if self._direct else ():
            with self._client(name) as api:
                if not _is_connected(api):
                    poll(partial(_is_connected, api), f"{name} is connected with its neighbors", START_TIMEOUT_SECONDS)
                    connected_at = time.monotonic()
        return connected_at

    @contextlib.contextmanager
    def _client(self, cell: str) -> Iterator[CellsAPI]:
        (first, *_) = self.managers_of(cell)
        transport = open_transport(cells_conf.load([first.config_file]), None, ["cells.exceptions"])
        try:
            yield CellsAPI(transport, timeout=5)
        finally:
            transport.cleanup()

    # Managers

    def start_manager(self, host: str) -> None:
        """Start a manager without waiting until it is ready."""
        manager = self.managers[host]
        manager.start(self._env_of_east if manager.name == "east" else self._env)

    def managers_of(self, cell: str) -> list[ManagerProcess]:
        """Return the managers of a cell."""
        return [manager for manager in self.managers.values() if manager.name == cell]

    def _stop_managers(self) -> None:
        for manager in self.managers.values():
            manager.kill()

    # Services

    def start_service(self, cell: str) -> None:
        """Start the service of a cell and wait until it serves."""
        self._services[cell] = Script(
            "drills.service",
            str(self.managers[cell].config_file),
            cell,
            log_file=self._place / f"service-{cell}.log",
            env={endpoints.RECORDS: str(self.records)},
        ).wait_ready()

    def kill_service(self, cell: str) -> None:
        """Kill the service of a cell."""
        self._services[cell].kill9()

    def _kill_services(self) -> None:
        for service in self._services.values():
            service.kill9()

    # The broker of east

    def stop_broker_of_east(self) -> None:
        """Stop the node; connections end as in an orderly restart of a server."""
        self.broker_of_east.stop()
        self.east_broker_down_at = time.monotonic()

    def start_broker_of_east(self) -> None:
        """Start the node with its data."""
        self.broker_of_east.start().wait_ready()


def _is_connected(api: CellsAPI) -> bool:
    """Return whether a cell is connected with all neighbors."""
    try:
        rows = api.neighbors(_CONTEXT)
    except exceptions.CellsError:
        return False
    return all(row["link"]["state"] == "connected" for row in rows)
