"""The composition root: the one place that reads the configuration and names concrete classes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent import futures
from importlib import metadata
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_service import loopingcall, systemd
from oslo_service import opts as oslo_service_opts
from oslo_service import service as oslo_service

from cells import exceptions, path, scheduler, versions
from cells.counters import Counters
from cells.db.api import Database
from cells.drivers.base import DriverSettings
from cells.drivers.registry import Drivers
from cells.endpoints import Endpoints
from cells.links import LinkLimits, Links
from cells.manager import CellsManager
from cells.manager.announcer import Introduction
from cells.manager.answer_streams import AnswerStreams
from cells.manager.local_cell import Cell
from cells.manager.message_factory import OutgoingMessages
from cells.manager.picker import Picker
from cells.manager.service_calls import ServiceCalls
from cells.messages import MESSAGE_TYPES, ResponseMessage
from cells.neighbors import Changes, NeighborTable, capabilities
from cells.neighbors.capabilities import Reports
from cells.neighbors.link_versions import LinkVersions
from cells.neighbors.loader import FileSource, NeighborLoader, NeighborSource
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.topology import Topology
from cells.routing.executor import Execution
from cells.routing.pending import PendingCalls
from cells.routing.receipts import Receipts
from cells.routing.router import Limits, Router
from cells.services.allow_list import AllowedServices
from cells.services.local import LocalServices
from cells.transport.opening import open_transport, register_options
from cells.transport.patches import raw_failures
from cells.transport.server import get_server
from cells.transport.url import is_brokerless
from cells.worker_threads import WorkerThreads

LOG = logging.getLogger(__name__)

#: Pause before the own broker is tried again after it refused.
RETRY_SECONDS = 5
#: What is left to send when all calls are done goes out in milliseconds, or hangs.
LAST_SENDS_SECONDS = 10
#: What a manager that stops takes no more; answers it still waits for.
REQUEST_TYPES = frozenset(MESSAGE_TYPES) - {ResponseMessage.message_type}
ENDLESS_SECONDS = 10 * 365 * 86400.0


class CellsService(oslo_service.ServiceBase):  # type: ignore[misc]  # oslo.service has no types
    """One running manager: everything that has to be started and stopped, in order."""

    def __init__(
        self, conf: cfg.ConfigOpts, endpoints: Endpoints | None = None, *, serves_local_cell: bool = True
    ) -> None:
        """Wire the parts.  No I/O beyond loading plug-ins.

        :param endpoints: instead of those of the installed packages
        :param serves_local_cell: whether services of this cell reach the manager over
            their broker; without one, code in this process calls ``manager`` itself
        :raises cells.exceptions.ConfigurationError: a setting is wrong or a plug-in does not load
        """
        register_options(conf)
        oslo_service_opts.register_service_opts(conf)
        self._conf = conf
        self.name = _own_name(conf)
        self.counters = Counters()
        self.table = NeighborTable(conf.cells.mute_child_interval)
        self.topology = Topology(self.name, self.table)
        self.drivers = Drivers(_driver_settings(conf))
        self._receiver = self.drivers.get(conf.cells.driver)
        self.links = Links(
            self.drivers,
            self.counters,
            self._on_delivery,
            LinkLimits(
                send_timeout_seconds=conf.cells.send_timeout,
                queue_size=conf.cells.send_queue_size,
                queue_bytes=conf.cells.send_queue_bytes,
                open_links=conf.cells.max_open_links,
            ),
        )
        self.receipts = Receipts()
        self.pending = PendingCalls(conf.cells.max_pending_calls, self.counters)
        self.threads = WorkerThreads(conf.cells.endpoint_threads, conf.cells.max_pending_calls, "cells-endpoint")
        self.link_versions = LinkVersions(self.table, versions.resolve_cap(conf.upgrade_levels.intercell))
        execution = Execution(Endpoints.load() if endpoints is None else endpoints, self.threads, self.counters)
        self.router = Router(
            cell_name=self.name,
            host=conf.host,
            table=self.table,
            link_versions=self.link_versions,
            execution=execution,
            pending=self.pending,
            links=self.links,
            receipts=self.receipts,
            counters=self.counters,
            limits=Limits(
                call_timeout_seconds=conf.cells.call_timeout,
                max_hop_count=conf.cells.max_hop_count,
                max_message_bytes=conf.cells.max_message_bytes,
            ),
        )
        self.services = self._local_services(conf, serves_local_cell=serves_local_cell)
        own_capabilities = capabilities.parse_capabilities(conf.cells.capabilities)
        reports = Reports(conf.cells.mute_child_interval)
        picker = Picker(
            cell_name=self.name,
            table=self.table,
            topology=self.topology,
            own_capabilities=own_capabilities,
            reports=reports,
            router=self.router,
            services=self.services,
            scheduler=scheduler.load(
                conf.cells_scheduler.filters,
                conf.cells_scheduler.weighers,
                conf.cells_scheduler.weight_multipliers,
            ),
            counters=self.counters,
            max_hop_count=conf.cells.max_hop_count,
        )
        self.cell = Cell(
            identity={
                "name": self.name,
                "host": conf.host,
                "pid": os.getpid(),
                "version": versions.CURRENT,
                "release": metadata.version("cells-intercell"),
            },
            capabilities=own_capabilities,
            reports=reports,
            table=self.table,
            link_versions=self.link_versions,
            topology=self.topology,
            router=self.router,
            pending=self.pending,
            counters=self.counters,
            services=self.services,
            picker=picker,
            max_hop_count=conf.cells.max_hop_count,
        )
        execution.bind(self.cell)
        self.introduction = Introduction(self.cell, self.links, 2.0 * conf.cells.send_timeout)
        outgoing = OutgoingMessages(
            topology=self.topology,
            table=self.table,
            counters=self.counters,
            max_hop_count=conf.cells.max_hop_count,
        )
        streams = AnswerStreams(conf.cells.max_pending_calls)
        self.manager = CellsManager(
            host=conf.host,
            cell=self.cell,
            router=self.router,
            outgoing=outgoing,
            topology=self.topology,
            table=self.table,
            pending=self.pending,
            counters=self.counters,
            exception_modules=conf.cells.allowed_rpc_exception_modules,
            call_timeout_seconds=conf.cells.call_timeout,
            streams=streams,
        )
        self.service_calls = ServiceCalls(
            host=conf.host,
            router=self.router,
            outgoing=outgoing,
            topology=self.topology,
            picker=picker,
            streams=streams,
        )
        self._source = _source(conf)
        self.loader = NeighborLoader(self.name, self._source, self.table, self.counters, self._on_changes)
        self._lifecycle = threading.Lock()
        self._is_serving = False
        self._is_ready = False
        self._is_stopped = threading.Event()
        self._transport: Any = open_transport(conf) if serves_local_cell else None
        self._server: Any = None
        self._loops: list[Any] = []

    def _local_services(self, conf: cfg.ConfigOpts, *, serves_local_cell: bool) -> LocalServices:
        return LocalServices(
            cell_name=self.name,
            transport=open_transport(conf, exception_modules=raw_failures.KEEP) if serves_local_cell else None,
            allowed=AllowedServices(
                conf.cells.allowed_services,
                conf.control_exchange,
                (conf.cells.topic, conf.cells.rpc_driver_queue_base),
            ),
            max_threads=conf.cells.service_threads,
            max_waiting=conf.cells.max_pending_calls,
        )

    def start(self) -> None:
        """Consume; return when everything does.  Waits until this cell's own broker is there."""
        self.loader.load()
        self.pending.start()
        while not self._start_servers():
            if self._is_stopped.wait(RETRY_SECONDS):
                return
        with self._lifecycle:
            if not self._is_stopped.is_set():
                self._is_serving = True
                self._start_loop(self.loader.load, self._conf.cells.db_check_interval)
                self._start_loop(self.cell.announce, self._conf.cells.announce_interval)
        if not self._is_serving:
            # It was stopped while the broker was away, and could not wait for what is open only now.
            self._stop_taking_requests()
            self._receiver.stop_servers()
            self._close_own_broker()
            return
        LOG.info(
            "cells-manager of cell %s is ready (host %s, %d neighbors)",
            self.name,
            self._conf.host,
            len(self.table.snapshot().all()),
        )
        systemd.notify_once()
        self._is_ready = True
        self._introduce(tuple(self.table.snapshot().all().values()))

    def _introduce(self, rows: Sequence[Neighbor]) -> None:
        self.cell.announce()
        self.introduction.start([row for row in rows if not row.is_parent])

    def _start_servers(self) -> bool:
        problem: Exception | None = None
        try:
            self._receiver.start_servers(self.router.receive)
            if self._transport is not None:
                target = oslo_messaging.Target(
                    topic=self._conf.cells.topic, server=self._conf.host, exchange=self._conf.cells.exchange
                )
                self._server = get_server(self._transport, target, [self.manager, self.service_calls])
                self._server.start()
        except Exception as error:  # kombu, amqp, ssl and socket each raise classes of their own
            problem = error
        if problem is None:
            return True
        self.counters.count("start_failed", type(problem).__name__)
        if self._transport is not None and is_brokerless(self._conf.transport_url):
            LOG.error(
                "The manager cannot serve its cell, the next try is in %d s: %s.",
                RETRY_SECONDS,
                str(problem).rstrip("."),
            )
        else:
            LOG.error(
                "This cell's own broker refuses its manager, the next try is in %d s: %s: %s. "
                "Check [DEFAULT] transport_url.",
                RETRY_SECONDS,
                type(problem).__name__,
                str(problem).rstrip("."),
            )
        self._receiver.stop_servers()
        return False

    def _start_loop(self, task: Any, interval_seconds: int) -> None:
        loop = loopingcall.FixedIntervalLoopingCall(task)
        loop.start(interval_seconds, initial_delay=interval_seconds, stop_on_exception=False)
        self._loops.append(loop)

    def stop(self) -> None:
        """Take no new requests, let those under way finish within the bound, close everything.

        Called once SIGTERM has come; may be called twice.
        """
        with self._lifecycle:
            if self._is_stopped.is_set():
                return
            self._is_stopped.set()
            is_serving = self._is_serving
        # As everywhere in oslo.service, zero stands for as long as it takes.
        patience = self._conf.graceful_shutdown_timeout or ENDLESS_SECONDS
        self.introduction.stop()
        for loop in self._loops:
            loop.stop()
        deadline = time.monotonic() + patience
        # Requests first: what comes from now on is for another manager, or for the next one.
        with futures.ThreadPoolExecutor(2, "cells-stop") as pool:
            pool.submit(self._stop_taking_requests, is_serving=is_serving)
            if is_serving:
                pool.submit(self._receiver.stop_taking, REQUEST_TYPES)
        # The answers still come in while calls wait for them.
        if not self.pending.wait_until_idle(patience):
            LOG.warning("%d calls are given up: a graceful stop takes at most %d s.", len(self.pending), patience)
        self.pending.stop()
        if is_serving:
            self._receiver.stop_servers()
        if not self.threads.stop(max(0.0, deadline - time.monotonic())):
            LOG.warning("Endpoints that still run are given up.")
        if not self.services.stop(max(0.0, deadline - time.monotonic())):
            LOG.warning("Calls of services of this cell that still run are given up.")
        if is_serving:
            self._close_own_broker()
        last_sends_end_at = time.monotonic() + min(self._conf.cells.send_timeout, LAST_SENDS_SECONDS)
        # What is sent to clients has something to be told after it.
        self.links.wait_until_idle(last_sends_end_at - time.monotonic())
        self.receipts.stop()
        self.links.stop(max(0.0, last_sends_end_at - time.monotonic()))
        self.drivers.close()
        self._source.close()
        LOG.info("cells-manager of cell %s has stopped.", self.name)

    def _stop_taking_requests(self, *, is_serving: bool = True) -> None:
        if is_serving and self._server is not None:
            self._server.stop()

    def _close_own_broker(self) -> None:
        """Send the replies that are left, and close."""
        if self._server is not None:
            self._server.wait()
        if self._transport is not None:
            self._transport.cleanup()

    def wait(self) -> None:
        """Return when :meth:`stop` has been called."""
        self._is_stopped.wait()

    def reset(self) -> None:
        """SIGHUP: look at the neighbors now, not at the next interval."""
        self.loader.load(is_asked=True)
        self.cell.announce()

    def _on_delivery(self, name: str, is_reachable: bool) -> None:
        self.table.record_delivery(name, is_reachable=is_reachable)

    def _on_changes(self, changes: Changes) -> None:
        for row in changes.removed:
            self.links.forget(row)
        for row in (*changes.added, *changes.changed):
            try:
                self.drivers.get(row.driver)
            except exceptions.PluginError as error:
                self.counters.count("refused", "PluginError")
                LOG.error("Cell %s cannot be reached: %s", row.name, error.message)  # noqa: TRY400  # one line
        if self._is_ready:
            self.cell.tell_if_moved()
        if self._is_ready and (changes.added or changes.changed):
            self._introduce((*changes.added, *changes.changed))


def build(conf: cfg.ConfigOpts) -> CellsService:
    """A manager for ``conf``, ready to start."""
    return CellsService(conf)


def _own_name(conf: cfg.ConfigOpts) -> str:
    if not conf.cells.name:
        raise exceptions.ConfigurationError(
            "[cells] name is not set: give this cell its name in the configuration file."
        )
    try:
        return path.check_name(conf.cells.name)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.ConfigurationError(f"[cells] name: {error.message}") from error


def _driver_settings(conf: cfg.ConfigOpts) -> DriverSettings:
    versions.resolve_cap(conf.upgrade_levels.intercell)
    return DriverSettings(
        conf=conf,
        host=conf.host,
        transport_url=conf.transport_url,
        message_types=MESSAGE_TYPES,
        queue_base=conf.cells.rpc_driver_queue_base,
        version_cap=conf.upgrade_levels.intercell,
        send_timeout_seconds=conf.cells.send_timeout,
    )


def _source(conf: cfg.ConfigOpts) -> NeighborSource:
    return FileSource(conf.cells.cells_config) if conf.cells.cells_config else Database(conf)
