"""The composition root: the only module that reads options of a manager and names concrete classes.

The daemon, :mod:`cells.testing` and the tests call :func:`build`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial

import oslo_messaging
from oslo_config import cfg
from oslo_service import opts as oslo_service_opts

from cells import scheduler, versions
from cells.counters import Counters
from cells.db.api import Database
from cells.drivers.base import DriverSettings, LinkState
from cells.drivers.registry import Drivers
from cells.endpoints import Endpoints
from cells.endpoints.permissions import Permissions
from cells.links import LinkLimits, Links, Losses, loss_file
from cells.manager import CellsManager, identity, neighbor_report
from cells.manager.announcer import Announcer
from cells.manager.answer_streams import AnswerStreams
from cells.manager.held_requests import HeldRequests
from cells.manager.lifecycle import CellsService
from cells.manager.link_history import LinkHistory
from cells.manager.local_cell import LocalCell
from cells.manager.message_factory import OutgoingMessages
from cells.manager.namesakes import Namesakes
from cells.manager.picker import Picker
from cells.manager.prober import Prober
from cells.manager.receiving import receivers_of
from cells.manager.registrar import Registrar
from cells.manager.requests import Requests
from cells.manager.server import ManagerServer
from cells.manager.service_calls import ServiceCalls
from cells.manager.sibling_bus import OwnBus
from cells.messages import MESSAGE_TYPES
from cells.neighbors import Changes, NeighborTable
from cells.neighbors.capabilities import parse_capabilities
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.loader import FileSource, NeighborLoader, NeighborSource
from cells.neighbors.path_memory import PathFile, PathMemory, PathStore
from cells.neighbors.registration import Registration
from cells.neighbors.resources import Resources
from cells.neighbors.store import Store
from cells.neighbors.topology import Topology
from cells.neighbors.transitions import TransitionStore
from cells.routing.budgets import ForeignLimits, NeighborBudgets
from cells.routing.executor import Executor
from cells.routing.outcomes import Outcomes
from cells.routing.pending import PendingCalls
from cells.routing.router import Router
from cells.services.allow_list import AllowedServices
from cells.services.local import LocalServices
from cells.services.usage import ServiceUsage
from cells.transport import mailbox, own_broker, queue_names, request_ids
from cells.transport import url as transport_url
from cells.transport.opening import open_transport, register_options
from cells.transport.patches import raw_failures
from cells.worker_threads import Runtime, WorkerThreads

__all__ = ["CellsService", "build"]


def build(  # noqa: PLR0913  # all but one by keyword
    conf: cfg.ConfigOpts,
    *,
    endpoints: Endpoints | None = None,
    drivers: Drivers | None = None,
    serves_local_cell: bool = True,
    runtime: Runtime | None = None,
    store: Store | None = None,
) -> CellsService:
    """Return a manager for ``conf``, ready to start.  No I/O beyond loading plug-ins.

    :param endpoints: by default those of the installed packages
    :param drivers: by default those of the installed packages
    :param serves_local_cell: whether services of this cell reach the manager over their broker; if not, code in this
        process calls ``manager`` itself
    :param runtime: clock, ids and threads of the manager
    :param store: by default ``[database]``; ``[cells] cells_config`` replaces both
    :raises cells.exceptions.ConfigurationError: an option is wrong or a plug-in does not load
    """
    register_options(conf)
    name = identity.check_name(conf.cells.name)
    queue_names.name_manager(conf, name)
    oslo_service_opts.register_service_opts(conf)
    wiring = _Wiring(
        conf,
        name,
        drivers,
        Endpoints.load() if endpoints is None else endpoints,
        runtime or Runtime(),
        store,
        serves_local_cell=serves_local_cell,
    )
    return wiring.service()


@dataclass(eq=False, repr=False)
class _Wiring:
    """The parts of one manager, made in the order in which they need each other."""

    conf: cfg.ConfigOpts
    name: str
    given_drivers: Drivers | None
    endpoints: Endpoints
    runtime: Runtime
    given_store: Store | None
    serves_local_cell: bool

    def __post_init__(self) -> None:
        cells, runtime = self.conf.cells, self.runtime
        self.counters = Counters()
        self.losses = Losses(runtime.clock, runtime.wall_clock)
        self.table = NeighborTable(cells.mute_child_interval, runtime.clock)
        self.topology = Topology(self.name, self.table)
        self.link_versions = LinkVersions(self.table, versions.resolve_cap(self.conf.upgrade_levels.intercell))
        self.threads = WorkerThreads(cells.endpoint_threads, cells.max_pending_calls, "cells-endpoint", runtime.spawn)
        self.limits = ForeignLimits(
            cells.max_foreign_calls, cells.max_foreign_bytes, cells.max_foreign_seconds, self.table.snapshot
        )
        self.outcomes = Outcomes(self.name, self.losses, self.table.snapshot)
        self.receiving_urls = mailbox.receiving_urls(self.conf)
        first_url = next(iter(self.receiving_urls.values()))
        self.drivers = self.given_drivers or Drivers(_driver_settings(self.conf, first_url, self))
        budgets = NeighborBudgets(self.limits, self.counters)
        permissions = Permissions(self.name, self.endpoints, self.table.snapshot, self.conf.control_exchange)
        self.executor = Executor(
            endpoints=self.endpoints,
            threads=self.threads,
            budgets=budgets,
            permissions=permissions,
            counters=self.counters,
            runtime=runtime,
            outcomes=self.outcomes,
            sends_tracebacks=cells.send_tracebacks,
        )
        self.pending = PendingCalls(
            cells.max_pending_calls,
            self.counters,
            runtime.clock,
            runtime.spawn,
            max_casts=cells.max_waiting_casts,
            budgets=NeighborBudgets(self.limits, self.counters),
            is_same=self.table.may_be,
        )
        self.outgoing = OutgoingMessages(
            topology=self.topology,
            table=self.table,
            counters=self.counters,
            outcomes=self.outcomes,
            max_hop_count=cells.max_hop_count,
            new_id=lambda: request_ids.next_id() or runtime.new_id(),
        )
        self._open_stores()
        self.held_requests = HeldRequests(self.topology, runtime)
        own = parse_capabilities(cells.capabilities)
        self.resources = Resources(own, self.table, cells.mute_child_interval, runtime.clock)

    def _open_stores(self) -> None:
        """Choose where the neighbors, the last known paths and the history of links are kept."""
        paths: PathStore
        self.transitions: TransitionStore | None = None
        if self.conf.cells.cells_config:
            self.source: NeighborSource = FileSource(self.conf.cells.cells_config)
            paths = PathFile(self.conf.state_path, self.name)
        else:
            self.source = paths = self.transitions = self.given_store or Database(self.conf)
        self.path_memory = PathMemory(store=paths, table=self.table, topology=self.topology, spawn=self.runtime.spawn)

    def service(self) -> CellsService:
        """Return the manager.  Called once."""
        self._make_router()
        self._make_cell()
        self._make_endpoints()
        cells = self.conf.cells

        def apply(changes: Changes) -> None:
            service.apply(changes)  # made below

        loader = NeighborLoader(self.name, self.source, self.table, self.counters, apply)
        self.cell.source_problem = lambda: loader.problem
        self.registrar.reload = loader.load
        server = self._server() if self.serves_local_cell else None
        receivers = receivers_of(
            self.receiving_urls, cells.driver, self.drivers, lambda url: Drivers(_driver_settings(self.conf, url, self))
        )
        service = CellsService(
            name=self.name,
            host=self.conf.host,
            load_interval_seconds=cells.db_check_interval,
            announce_interval_seconds=cells.announce_interval,
            graceful_stop_seconds=self.conf.graceful_shutdown_timeout,
            send_timeout_seconds=cells.send_timeout,
            runtime=self.runtime,
            counters=self.counters,
            losses=self.losses,
            loss_file=loss_file.path_of(self.conf.state_path, self.name, self.conf.host),
            table=self.table,
            topology=self.topology,
            loader=loader,
            path_memory=self.path_memory,
            link_history=LinkHistory(self.cell, self.transitions, self.runtime),
            held_requests=self.held_requests,
            drivers=self.drivers,
            receivers=receivers,
            links=self.links,
            pending=self.pending,
            threads=self.threads,
            router=self.router,
            services=self.services,
            announcer=self.announcer,
            prober=self.prober,
            cell=self.cell,
            manager=self.manager,
            service_calls=self.service_calls,
            check_broker=self._check_broker,
            reload_options=lambda: self.services.allowed.replace(self.conf.cells.allowed_services),
            namesakes=self._namesakes() if self.serves_local_cell else None,
            server=server,
            metrics_addresses=self.conf.cells_metrics.listen,
        )
        return service

    def take_link_state(self, name: str, state: LinkState) -> None:
        """Pass a change on that the driver of direct links has noticed."""
        row = self.table.snapshot().get(name)
        if row is None or not row.is_direct:
            # The link moves: its messages take another driver.
            return
        self.table.record_link(name, state.value)
        if state is LinkState.DOWN:
            self.losses.went_away(name)
        elif state is LinkState.CONNECTED:
            self.losses.came_back(name)
            self.prober.probe_soon(name)

    def _make_router(self) -> None:
        cells = self.conf.cells
        limits = LinkLimits(cells.send_timeout, cells.send_queue_size, cells.send_queue_bytes, cells.max_open_links)
        self.links = Links(
            self.drivers,
            self.counters,
            lambda name, is_reachable: self.table.record_delivery(name, is_reachable=is_reachable),
            limits,
            self.runtime,
            self.losses,
            lambda cell: self.table.is_way_to(cell.name, cell.driver, cell.transport_url),
        )
        self.router = Router(
            cell_name=self.name,
            host=self.conf.host,
            table=self.table,
            link_versions=self.link_versions,
            executor=self.executor,
            pending=self.pending,
            limits=self.limits,
            links=self.links,
            counters=self.counters,
            outcomes=self.outcomes,
            beyond=self.topology.beyond,
            call_timeout_seconds=cells.call_timeout,
            max_hop_count=cells.max_hop_count,
            max_message_bytes=cells.max_message_bytes,
            runtime=self.runtime,
        )

    def _make_cell(self) -> None:
        cells, is_served = self.conf.cells, self.serves_local_cell
        own_topics = (cells.topic, cells.rpc_driver_queue_base)
        self.services = LocalServices(
            cell_name=self.name,
            transport=open_transport(self.conf, exception_modules=raw_failures.KEEP) if is_served else None,
            allowed=AllowedServices(cells.allowed_services, self.conf.control_exchange, own_topics),
            max_threads=cells.service_threads,
            max_waiting=cells.max_pending_calls,
            sends_tracebacks=cells.send_tracebacks,
            usage=ServiceUsage(cells.allowed_services, self.conf.control_exchange, self.runtime.clock),
        )
        options = self.conf.cells_scheduler
        self.picker = Picker(
            table=self.table,
            topology=self.topology,
            resources=self.resources,
            router=self.router,
            outgoing=self.outgoing,
            services=self.services,
            scheduler=scheduler.load(options.filters, options.weighers, options.weight_multipliers),
            counters=self.counters,
            clock=self.runtime.clock,
        )
        self.prober = Prober(
            table=self.table,
            router=self.router,
            outgoing=self.outgoing,
            drivers=self.drivers,
            interval_seconds=cells.probe_interval,
            version_interval_seconds=cells.announce_interval,
            runtime=self.runtime,
        )
        self.announcer = Announcer(
            resources=self.resources,
            table=self.table,
            topology=self.topology,
            router=self.router,
            links=self.links,
            outgoing=self.outgoing,
            path_memory=self.path_memory,
            held_requests=self.held_requests,
            prober=self.prober,
            counters=self.counters,
            greeting_seconds=2.0 * cells.send_timeout,
            spawn=self.runtime.spawn,
        )
        self.prober.on_answer = self.announcer.learn
        self.cell = LocalCell(
            identity=identity.describe(self.name, self.conf.host),
            own_urls=mailbox.own_urls(self.conf),
            resources=self.resources,
            table=self.table,
            link_versions=self.link_versions,
            topology=self.topology,
            announcer=self.announcer,
            prober=self.prober,
            pending=self.pending,
            counters=self.counters,
            losses=self.losses,
            services=self.services,
            picker=self.picker,
        )
        self.cell.report = partial(neighbor_report.report, self.cell)
        self.executor.cell = self.cell

    def _make_endpoints(self) -> None:
        cells = self.conf.cells
        streams = AnswerStreams(cells.max_pending_calls, self.runtime.clock, self.runtime.new_id)
        requests = Requests(
            host=self.conf.host,
            router=self.router,
            outgoing=self.outgoing,
            streams=streams,
            held=self.held_requests,
            # The neighbors cannot write to the queues of clients on the own bus.
            accepts_direct_replies=not cells.mailbox_url,
        )
        self.service_calls = ServiceCalls(requests, self.picker)
        registration = Registration(self.name, self.conf.cells_direct.certificate, lambda: closing(Database(self.conf)))
        self.registrar = Registrar(registration, cells.cells_config, self.runtime.spawn)
        self.manager = CellsManager(
            requests,
            self.cell,
            cells.allowed_rpc_exception_modules,
            call_timeout_seconds=cells.call_timeout,
            receives={option: transport_url.mask(url or "") for option, url in self.receiving_urls.items()},
            registrar=self.registrar,
        )

    def _check_broker(self) -> None:
        if self.serves_local_cell:
            own_broker.check(self.conf)

    def _namesakes(self) -> Namesakes:
        cells = self.conf.cells
        return Namesakes(lambda: open_transport(self.conf), cells.topic, cells.exchange)

    def _server(self) -> ManagerServer:
        endpoints = [self.manager, self.service_calls]
        return ManagerServer(lambda: open_transport(self.conf), _target(self.conf), endpoints, self.outcomes)


def _target(conf: cfg.ConfigOpts) -> oslo_messaging.Target:
    return oslo_messaging.Target(topic=conf.cells.topic, server=conf.host, exchange=conf.cells.exchange)


def _own_bus(conf: cfg.ConfigOpts, runtime: Runtime, counters: Counters) -> OwnBus:
    return OwnBus(lambda: open_transport(conf), _target(conf), runtime.wall_clock, counters)


def _driver_settings(conf: cfg.ConfigOpts, url: str | None, wiring: _Wiring) -> DriverSettings:
    versions.resolve_cap(conf.upgrade_levels.intercell)
    return DriverSettings(
        conf=conf,
        host=conf.host,
        transport_url=url,
        message_types=MESSAGE_TYPES,
        queue_base=conf.cells.rpc_driver_queue_base,
        version_cap=conf.upgrade_levels.intercell,
        send_timeout_seconds=conf.cells.send_timeout,
        ledger=wiring.outcomes,
        on_link_state=wiring.take_link_state,
        siblings=_own_bus(conf, wiring.runtime, wiring.counters) if wiring.serves_local_cell else None,
        counters=wiring.counters,
        runtime=wiring.runtime,
    )
