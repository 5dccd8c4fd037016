"""Start, stop and reload of one manager, as oslo.service calls them."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_service import loopingcall
from oslo_service import service as oslo_service

from cells import exceptions, failure
from cells.counters import Counters
from cells.drivers.registry import Drivers
from cells.limited_log import LastingProblem
from cells.links import Links, Losses
from cells.manager.announcer import Announcer
from cells.manager.held_requests import HeldRequests
from cells.manager.link_history import LinkHistory
from cells.manager.local_cell import LocalCell
from cells.manager.manager import CellsManager
from cells.manager.namesakes import Namesakes, problem_with
from cells.manager.observation import Observation
from cells.manager.prober import Prober
from cells.manager.receiving import Receiver
from cells.manager.server import ManagerServer
from cells.manager.service_calls import ServiceCalls
from cells.messages import REQUEST_TYPES
from cells.neighbors import Changes, NeighborTable
from cells.neighbors.loader import NeighborLoader
from cells.neighbors.path_memory import PathMemory
from cells.neighbors.topology import Topology
from cells.routing.pending import PendingCalls
from cells.routing.router import Router
from cells.services.local import LocalServices
from cells.transport import declaring, mailbox
from cells.transport.rabbitmq import BrokerUnusableError
from cells.worker_threads import Runtime, WorkerThreads

LOG = logging.getLogger(__name__)

#: Pause before the next try if the neighbors cannot be read: until then, messages wait in the broker.
LOAD_RETRY_SECONDS = 1
#: Pause before the next try if the broker of this cell refuses its manager.
RETRY_SECONDS = 5
#: Bound for the last sends of a manager that stops: they take milliseconds, or hang.
LAST_SENDS_SECONDS = 10
#: Bound for the stop of servers, whose consumers wake up four times a second; more than a broker needs under load.
SERVER_STOP_SECONDS = 10.0
#: Interval at which the ledger of losses is asked for summaries that are due.
LOSSES_SECONDS = 5
#: Bound for storing the last known paths, which takes milliseconds unless the database is away.
LAST_WRITE_SECONDS = 2
#: Interval at which rows are read if a link is direct: a certificate that is removed must soon be of no use.
DIRECT_LOAD_SECONDS = 4
#: How often the prober looks for neighbors whose turn it is.
PROBE_LOOP_SECONDS = 1
#: How often the history of the links looks for changes.
HISTORY_SECONDS = 1
ENDLESS_SECONDS = 10 * 365 * 86400.0


@dataclass(kw_only=True, eq=False, repr=False)
class CellsService(oslo_service.ServiceBase):  # type: ignore[misc]  # oslo.service has no types
    """One running manager: all parts that have to be started and stopped, in order.

    Made by :func:`cells.service.build`.
    """

    name: str
    host: str
    load_interval_seconds: int
    announce_interval_seconds: int
    #: bound of a graceful stop; 0: no bound, as everywhere in oslo.service
    graceful_stop_seconds: float
    send_timeout_seconds: float
    runtime: Runtime
    counters: Counters
    losses: Losses
    loss_file: Path
    table: NeighborTable
    topology: Topology
    loader: NeighborLoader
    path_memory: PathMemory
    link_history: LinkHistory
    held_requests: HeldRequests
    drivers: Drivers
    receivers: Sequence[Receiver]
    links: Links
    pending: PendingCalls
    threads: WorkerThreads
    router: Router
    services: LocalServices
    announcer: Announcer
    prober: Prober
    cell: LocalCell
    manager: CellsManager
    service_calls: ServiceCalls
    #: logs in to the broker of this cell and out again; raises BrokerUnusableError
    check_broker: Callable[[], None]
    #: applies the options that may change without a restart
    reload_options: Callable[[], None]
    #: None: the manager does not serve the services of its cell
    namesakes: Namesakes | None
    #: None: code in this process calls ``manager`` and ``service_calls`` itself
    server: ManagerServer | None
    #: [cells_metrics] listen
    metrics_addresses: Sequence[str]

    def __post_init__(self) -> None:
        self.observation = Observation(
            addresses=self.metrics_addresses,
            cell=self.cell,
            links=self.links,
            threads=self.threads,
            server=self.server,
            receivers=self.receivers,
            store=self.path_memory.store,
            runtime=self.runtime,
        )
        self.cell.prove_consumers = self.observation.proof.prove
        self._lifecycle = threading.Lock()
        self._is_serving = False
        self._is_stopped = threading.Event()
        #: set by :meth:`stop` when no call is in flight any more, or the bound is over
        self.has_drained = threading.Event()
        self._loops: list[Any] = []
        self._start_problem = LastingProblem(LOG, self.runtime.clock)
        self._loaded_at = self.runtime.clock()
        #: how often the drivers were told the rows
        self._times_told = 0

    def start(self) -> None:
        """Return when the manager takes messages and requests, or when it is stopped.

        Blocks until its database and its broker are there.  Nothing is read from the broker before the neighbors are
        known: the messages that wait there could not be forwarded.
        """
        self.observation.start()
        # Before the servers: what the last manager left undone must be known before this manager takes messages.
        self.losses.open(self.loss_file)
        self.pending.start()
        started = (
            self._repeat(self._read_database, LOAD_RETRY_SECONDS)
            and self._repeat(self._has_broker, RETRY_SECONDS)
            and self._repeat(self._is_alone, RETRY_SECONDS)
            and self._repeat(self._start_servers, RETRY_SECONDS)
            and self._start_loops()
        )
        if not started:
            return
        LOG.info(
            "cells-manager of cell %s is ready (host %s, neighbors: %d)",
            self.name,
            self.host,
            len(self.table.snapshot().all()),
        )
        self.observation.serving()
        self.announcer.start()

    def _repeat(self, step: Callable[[], bool], pause_seconds: float) -> bool:
        """Repeat a step of the start until it succeeds; return False if the manager is stopped before."""
        while not self._is_stopped.is_set():
            if step():
                return True
            self._is_stopped.wait(pause_seconds)
        return False

    def _read_database(self) -> bool:
        if not self.loader.load():
            return False
        self.path_memory.recall()
        return True

    def _has_broker(self) -> bool:
        """Return False if no host of the broker accepts a login: oslo.messaging would retry the login without end."""
        try:
            self.check_broker()
        except BrokerUnusableError as error:
            self.counters.count("start_failed", BrokerUnusableError.__name__)
            text = "The manager cannot serve cell %s and tries again in %d s: %s."
            self._start_problem.log(logging.ERROR, text, self.name, RETRY_SECONDS, error)
            return False
        return True

    def _is_alone(self) -> bool:
        """Return False if a manager consumes here that would take the messages of this one."""
        problem = ""
        # If the broker is away, the next step says so.
        with contextlib.suppress(Exception):
            if self.namesakes is not None:
                problem = problem_with(self.namesakes.find(), self.name, self.host)
        if problem:
            self._start_problem.log(
                logging.ERROR,
                "The manager of cell %s does not start, and tries again every %d s: %s.",
                self.name,
                RETRY_SECONDS,
                problem,
            )
        return not problem

    def _start_servers(self) -> bool:
        for option, start in self._starts():
            try:
                start()
            except Exception as error:  # kombu, amqp, ssl and socket each raise classes of their own
                self._give_up_start(option, error)
                return False
        return True

    def _starts(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield the starts of all servers, each with the option that sets the URL at which it serves."""
        for receiver in self.receivers:
            on_message = self.router.receiver(receiver.name)
            yield receiver.option, functools.partial(receiver.driver.start_servers, on_message)
        if self.server is not None:
            yield mailbox.OWN_OPTION, self.server.start

    def _give_up_start(self, option: str, problem: Exception) -> None:
        self.counters.count("start_failed", failure.name_of(problem))
        refusal = declaring.refusal(problem)
        if refusal is None:
            reason = f"{failure.name_of(problem)}: {failure.text_of(problem).rstrip('.')}. Check {option}"
        else:
            reason = f"{refusal} (broker of {option})"
        text = "The manager cannot serve cell %s and tries again in %d s: %s."
        self._start_problem.log(logging.ERROR, text, self.name, RETRY_SECONDS, reason)
        for receiver in self.receivers:
            receiver.driver.stop_servers()

    def _start_loops(self) -> bool:
        """Start the periodic tasks; return False if the manager was stopped while its servers started."""
        with self._lifecycle:
            if not self._is_stopped.is_set():
                self._is_serving = True
                self._start_loop(self._load_due, min(self.load_interval_seconds, DIRECT_LOAD_SECONDS))
                self._start_loop(self.announcer.announce, self.announce_interval_seconds)
                self._start_loop(self.losses.report_due, LOSSES_SECONDS)
                self._start_loop(self.observation.progress.beating("probes", self.prober.probe_due), PROBE_LOOP_SECONDS)
                self._start_loop(self.link_history.look, HISTORY_SECONDS)
        if not self._is_serving:
            # stop() could not close the servers that have started only now.
            if self.server is not None:
                self.server.stop()
            for receiver in self.receivers:
                receiver.driver.stop_servers()
            self._close_server()
        return self._is_serving

    def _load_due(self) -> None:
        """Read the neighbors if it is time; let the drivers look whether a file of theirs has changed."""
        now = self.runtime.clock()
        if now - self._loaded_at < self.load_interval_seconds and not self.table.snapshot().has_direct_links:
            return
        self._loaded_at = now
        self._load()

    def _load(self, *, is_asked: bool = False) -> None:
        told = self._times_told
        self.loader.load(is_asked=is_asked)
        if told == self._times_told:
            # The rows are the same, or cannot be read: a driver still looks whether a file of its has changed.
            self._tell_drivers()

    def _start_loop(self, task: Any, interval_seconds: int) -> None:
        loop = loopingcall.FixedIntervalLoopingCall(task)
        loop.start(interval_seconds, initial_delay=interval_seconds, stop_on_exception=False)
        self._loops.append(loop)

    def reset(self) -> None:
        """Apply changed options, load the neighbors now and announce this cell, on SIGHUP."""
        try:
            self.reload_options()
        except Exception as error:  # oslo.config raises many classes
            LOG.error("The manager keeps the old value of an option: %s", error)  # noqa: TRY400  # for an operator
        self._load(is_asked=True)
        self.announcer.announce()
        self.prober.probe_all()

    def apply(self, changes: Changes) -> None:
        """Adapt links and announcements to changed neighbors; called by the loader."""
        for row in changes.removed:
            self.links.forget(row)
        for row in (*changes.added, *changes.changed):
            try:
                self.drivers.get(row.driver)
            except exceptions.PluginError as error:
                self.counters.count("refused", "PluginError")
                text = "Cell %s cannot be reached: %s"
                LOG.error(text, row.name, error.message)  # noqa: TRY400  # an operator needs no traceback
        self._tell_drivers()
        self.announcer.react_to(changes)

    def _tell_drivers(self) -> None:
        self._times_told += 1
        rows = list(self.table.snapshot().all().values())
        for driver in self.drivers.loaded().values():
            driver.set_neighbors(rows)

    def stop(self) -> None:
        """Take no new requests, let those in progress finish within the bound, close everything.

        Called on SIGTERM; may be called twice.
        """
        with self._lifecycle:
            if self._is_stopped.is_set():
                return
            self._is_stopped.set()
            is_serving = self._is_serving
        clock, bound_seconds = self.runtime.clock, self.graceful_stop_seconds or ENDLESS_SECONDS
        deadline = clock() + bound_seconds
        self.observation.stopping()
        self.announcer.stop()
        for loop in self._loops:
            loop.stop()
        if is_serving:
            self._stop_taking_requests()
        self.held_requests.stop()
        # Answers still come in for the calls that wait for them.
        if not self.pending.wait_until_idle(bound_seconds):
            LOG.warning("%d calls are given up: a graceful stop takes at most %d s.", len(self.pending), bound_seconds)
        self.pending.stop()
        if is_serving:
            self._within(SERVER_STOP_SECONDS, *(receiver.driver.stop_servers for receiver in self.receivers))
        if not self.threads.stop(max(0.0, deadline - clock())):
            LOG.warning("Endpoints that still run are given up.")
        if not self.services.stop(max(0.0, deadline - clock())):
            LOG.warning("Calls of services of this cell that still run are given up.")
        self.has_drained.set()
        if is_serving:
            self._within(SERVER_STOP_SECONDS, self._close_server)
        last_sends_end_at = clock() + min(self.send_timeout_seconds, LAST_SENDS_SECONDS)
        # This sends the notices, too, that follow replies sent directly to clients.
        self.links.wait_until_idle(last_sends_end_at - clock())
        self.links.stop(max(0.0, last_sends_end_at - clock()))
        # The last outcomes of drivers that report them later are counted, too.
        self.drivers.close()
        self.losses.close()
        self.path_memory.stop(LAST_WRITE_SECONDS)
        self.link_history.stop(LAST_WRITE_SECONDS)
        self.loader.close()
        self.observation.stop()
        LOG.info("cells-manager of cell %s has stopped.", self.name)

    def _stop_taking_requests(self) -> None:
        """Leave further requests to other managers of this cell, or to the next start of this one."""
        stops: list[Callable[[], object]] = [
            functools.partial(receiver.driver.stop_taking, REQUEST_TYPES) for receiver in self.receivers
        ]
        if self.server is not None:
            stops.append(self.server.stop)
        self._within(SERVER_STOP_SECONDS, *stops)

    def _within(self, seconds: float, *steps: Callable[[], object]) -> None:
        """Take steps of the stop side by side; leave those behind that a dead broker holds up."""
        deadline = self.runtime.clock() + seconds
        threads = [self.runtime.spawn(functools.partial(_logged, step), "cells-stop-step") for step in steps]
        for thread in threads:
            thread.join(max(0.0, deadline - self.runtime.clock()))
            if thread.is_alive():
                LOG.warning("The broker of cell %s does not answer: its servers are given up.", self.name)

    def _close_server(self) -> None:
        if self.server is not None:
            self.server.close()

    def wait(self) -> None:
        """Return when :meth:`stop` has been called."""
        self._is_stopped.wait()


def _logged(step: Callable[[], object]) -> None:
    try:
        step()
    except Exception as error:  # kombu, amqp and socket each raise classes of their own
        LOG.warning("A server could not be stopped in an orderly way: %s: %s", type(error).__name__, error)
