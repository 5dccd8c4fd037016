"""Case: the cell that is examined, and the facts that several checks need."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from cells import context, versions
from cells.doctor import encrypted_hosts, managers_asked
from cells.doctor.encrypted_hosts import EncryptedHost
from cells.doctor.held_queues import HeldQueues
from cells.doctor.once import Once
from cells.neighbors.neighbor import Neighbor
from cells.transport import mailbox, own_broker
from cells.transport import url as transport_url
from cells.transport.broker_probe import BrokerProbe
from cells.transport.link import open_link
from cells.transport.opening import open_transport
from cells.upgrade_checks import UpgradeChecks

if TYPE_CHECKING:
    from cells.rpcapi import CellAnswer, CellsAPI

#: Share of the time of a check in which a broker must answer, or a cell: the rest is for what follows.
SHARE = 0.6


@dataclass(eq=False, repr=False)
class Case:
    """The cell that is examined.  Thread-safe: the checks run side by side."""

    conf: cfg.ConfigOpts
    #: time of each check
    timeout_seconds: float
    #: opens a client of the manager for a block
    open_manager: Callable[[], contextlib.AbstractContextManager[CellsAPI]]
    #: whether all cells below are asked, too
    is_tree: bool = False
    wall_clock: Callable[[], float] = time.time
    #: whether the broker of this cell accepts a login; the checks of the second stage need it
    has_broker: bool = True
    #: rows of the neighbors, as far as they could be read
    rows: Sequence[Neighbor] = ()
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.upgrade_checks = UpgradeChecks(self.conf)
        self._lock = threading.Lock()
        self._is_closed = False
        self._path = ""
        self.held_queues = HeldQueues(self.conf, self.answer_seconds)
        self.manager = Once(self._open_manager)
        #: the status of the manager that answers first
        self.status = Once(lambda: self.manager().status(self._context))
        #: the number of managers that consume at the broker; None without RabbitMQ
        self.consumers = Once(lambda: managers_asked.count_consumers(self))
        #: the statuses of all managers, and an error for each request without one
        self.managers = Once(lambda: managers_asked.ask_all(self))
        self.neighbors = Once(lambda: self.manager().neighbors(self._context))
        #: answers to a ping of all cells below, and above, with the times at which it was sent and answered
        self.pings = Once(self._ping)
        #: the tree from the top to all cells below, as ``cells topology`` has it
        self.topology = Once(lambda: self.manager().topology(self._context, timeout=self.timeout_seconds))

    @property
    def _context(self) -> Any:
        return context.get_admin_context()

    @property
    def answer_seconds(self) -> float:
        """The time in which a broker or a cell must answer."""
        return SHARE * self.timeout_seconds

    @property
    def name(self) -> str:
        return self.conf.cells.name or ""

    @property
    def path(self) -> str:
        """The path of this cell if its manager has told it, otherwise its name.  Does not wait."""
        return self._path or self.name

    def has_manager(self) -> bool:
        """Return whether a manager of this cell answers; a check of its own says why not."""
        try:
            if not self.has_broker or self.status().get("name") not in (None, self.name):
                return False
            self._path = str(self.status().get("path") or "")
        except Exception:  # the check of the managers reports it
            return False
        return True

    def _open_manager(self) -> CellsAPI:
        opened = self.open_manager()
        manager = opened.__enter__()
        with self._lock:
            is_closed = self._is_closed
            if not is_closed:
                self._opened.push(opened.__exit__)
        if is_closed:
            opened.__exit__(None, None, None)
        return manager

    def broadcast(self, method: str, direction: str) -> list[CellAnswer]:
        """Ask all cells in a direction, this cell excluded."""
        return self.manager().broadcast_call(
            self._context, method, direction=direction, timeout=self.answer_seconds, run_locally=False
        )

    def _ping(self) -> Pings:
        sent_at = self.wall_clock()
        answers = self.broadcast("ping", "down")
        # A parent of Nova would log a traceback for each ping.
        parents = [row for row in self.neighbors() if row.get("is_parent")]
        if any(row.get("version") not in (None, versions.OLDEST) for row in parents):
            answers = [*answers, *self.broadcast("ping", "up")]
        return Pings(answers, sent_at, self.wall_clock())

    @contextlib.contextmanager
    def broker(self, option: str = mailbox.OWN_OPTION) -> Iterator[tuple[Any, BrokerProbe]]:
        """Log in to a broker at which this cell receives; yield its transport and the questions to it.

        :param option: the option that sets its URL
        :raises cells.transport.rabbitmq.BrokerUnusableError: it does not accept the login
        :raises cells.exceptions.ConfigurationError: the URL is wrong
        """
        url = mailbox.receiving_urls(self.conf)[option] if option != mailbox.OWN_OPTION else self.conf.transport_url
        transport = open_transport(self.conf, url)
        with self._log_in(transport, url or "", option) as probe:
            yield transport, probe

    @contextlib.contextmanager
    def broker_of(self, row: Neighbor) -> Iterator[BrokerProbe]:
        """Log in to the broker of a neighbor, as the manager does.  Raises the errors of :meth:`broker`."""
        transport = open_link(self.conf, row.transport_url, int(self.conf.cells.send_timeout))
        where = f"cells neighbor set {row.name} --transport-url ..."
        with self._log_in(transport, row.transport_url, where, f"The broker of {row.name}") as probe:
            yield probe

    @contextlib.contextmanager
    def _log_in(self, transport: Any, url: str, option: str, name: str = "") -> Iterator[BrokerProbe]:
        try:
            with own_broker.log_in(transport, url, self.answer_seconds, option, name) as connection:
                yield BrokerProbe(connection, self.answer_seconds)
        finally:
            transport.cleanup()

    def encrypted_hosts(self) -> list[EncryptedHost]:
        """Return the hosts of brokers to which this cell connects with TLS: its own, and those of neighbors."""
        found = list(encrypted_hosts.of_this_cell(self.conf))
        for row in self.rows:
            found += encrypted_hosts.of_neighbor(self.conf, row)
        return found

    def broker_options(self) -> list[str]:
        """Return the options that name a RabbitMQ at which this cell receives, that of its services first."""
        urls = {mailbox.OWN_OPTION: self.conf.transport_url, **mailbox.receiving_urls(self.conf)}
        return [option for option, url in urls.items() if transport_url.is_rabbitmq(url or "")]

    def close(self) -> None:
        """Close the client of the manager, if it is open."""
        with self._lock:
            self._is_closed = True
        self._opened.close()


@dataclass(frozen=True)
class Pings:
    """Answers of the cells below and above to one ping, and the interval in which they were given."""

    answers: Sequence[CellAnswer]
    sent_at: float
    answered_at: float
