"""The tree of one drill: five cells with real managers, two brokers, a database server, services, and proxies.

::

    api --(link)-- east -- az1
     |              '----- az2
    west

``east`` has a RabbitMQ node of its own, and its database is behind a proxy.  The other four
cells share a node.  The link between ``api`` and ``east`` goes through two proxies, one for
each direction.  Everything is started for one drill and removed afterwards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
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
from drills.script import Script
from drills.service import TOPIC
from tools import endpoint_package
from tools.broker_node import BrokerNode
from tools.databases import POSTGRESQL_URL, fresh_database
from tools.forwarder import Forwarder
from tools.manager_process import ManagerProcess
from tools.polling import poll

#: child -> parent
PARENTS = {"east": "api", "west": "api", "az1": "east", "az2": "east"}
NAMES = ("api", *PARENTS)
#: The cells with a service, which is the target of a client in another cell.
SERVING = ("az1", "west")
START_TIMEOUT_SECONDS = 120.0

Options = Mapping[str, Mapping[str, object]]


class Link:
    """The link between ``api`` and ``east``: a proxy in front of each one's broker, for the other one."""

    def __init__(self, api: BrokerNode, east: BrokerNode) -> None:
        self.to_api = Forwarder("127.0.0.1", api.port)
        self.to_east = Forwarder("127.0.0.1", east.port)
        self._both = (self.to_api, self.to_east)

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        for forwarder in self._both:
            forwarder.cut()

    def restore(self) -> None:
        """Accept connections again."""
        for forwarder in self._both:
            forwarder.restore()

    def stall(self) -> None:
        """Keep the connections, but forward no byte."""
        for forwarder in self._both:
            forwarder.stall()

    def resume(self) -> None:
        """Forward again."""
        for forwarder in self._both:
            forwarder.resume()

    def close(self) -> None:
        """End the proxies."""
        for forwarder in self._both:
            forwarder.close()


class Tree:
    """The running tree, during the ``with`` block.

    :param place: directory for all files
    :param managers: of the cell ``east``
    :param options: of all managers, services and clients
    :param clock_ahead_seconds: of the managers of ``east``
    :ivar east_broker_down_at: the time at which the broker of ``east`` had ended, if it was stopped
    """

    def __init__(
        self, place: Path, *, managers: int = 1, options: Options | None = None, clock_ahead_seconds: int = 0
    ) -> None:
        self._place = place
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
        self.managers = {manager.host: manager for manager in self._make_managers(through)}
        for broker in (self.broker, self.broker_of_east):
            broker.wait_ready()
        self.link = Link(self.broker, self.broker_of_east)
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
            for host in hosts if len(hosts) > 1 else [name]:
                yield ManagerProcess(self._place, name, url, host=host, connection=connection, options=self._options)

    def _register_neighbors(self) -> None:
        # In this process: a command for each row takes longer than the rest of the start.
        for name, manager in {manager.name: manager for manager in self.managers.values()}.items():
            conf = cells_conf.load([manager.config_file])
            migration.sync(conf)
            database = Database(conf)
            for child, parent in PARENTS.items():
                if name == child:
                    database.create(Neighbor(parent, self._neighbor_url(name, parent), is_parent=True))
                elif name == parent:
                    database.create(Neighbor(child, self._neighbor_url(name, child), is_parent=False))
            database.close()

    def _neighbor_url(self, name: str, neighbor: str) -> str:
        """Return the URL under which the cell ``name`` reaches a neighbor."""
        if {name, neighbor} != {"api", "east"}:
            return (self.broker_of_east if neighbor == "east" else self.broker).url(neighbor)
        if neighbor == "east":
            return self.broker_of_east.url("east").replace(
                f":{self.broker_of_east.port}/", f":{self.link.to_east.port}/"
            )
        return self.broker.url("api").replace(f":{self.broker.port}/", f":{self.link.to_api.port}/")

    def _wait_formed(self) -> None:
        for source in SOURCES.values():
            transport = open_transport(
                cells_conf.load([self.managers[source.cell].config_file]), None, ["cells.exceptions"]
            )
            api, context = CellsAPI(transport, timeout=5), get_admin_context()

            def is_formed() -> bool:
                try:
                    api.call(context, source.target, "ping")  # noqa: B023  # called at once
                    answers = api.broadcast_call(context, "ping", direction=source.direction)  # noqa: B023
                except exceptions.CellsError:
                    return False
                return len([answer for answer in answers if answer.error is None]) == len(source.before)  # noqa: B023

            try:
                poll(is_formed, f"{source.cell} reaches its cells", START_TIMEOUT_SECONDS, pause_seconds=0.5)
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
