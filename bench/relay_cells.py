"""Two cells of a relay as real managers: messages reach the first cell, which relays them to the second one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from bench import endpoints, profile
from bench.arrivals import last_arrival
from bench.processor_time import seconds
from cells import versions
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from tools import endpoint_package
from tools.broker_node import BrokerNode
from tools.manager_process import ManagerProcess
from tools.transports import connect

if TYPE_CHECKING:
    from typing_extensions import Self

VERSION = {"upgrade_levels": {"intercell": versions.CURRENT}}
#: Route of the messages; the first cell is simulated by :mod:`bench.sender`.
ROUTE = ("api", "relay", "next")


@dataclass(frozen=True)
class Measured:
    """Result of one run of the relay."""

    per_second: float
    #: microseconds of processor time per message, by process
    microseconds: Mapping[str, float]


class RelayCells:
    """The two cells; they run during the ``with`` block."""

    def __init__(
        self,
        node: BrokerNode,
        place: Path,
        hosts: tuple[str, str],
        options: Mapping[str, Mapping[str, Mapping[str, object]]],
    ) -> None:
        """:param hosts: the virtual hosts of the two cells
        :param options: of each manager, by the name of its cell
        """
        self._node = node
        self._place = place
        self._environment = endpoint_package.install(place / "endpoints", endpoints.__file__, "bench")
        self._relay, self._next = (
            ManagerProcess(place, name, node.url(host), options={**VERSION, **options.get(name, {})})
            for name, host in zip(ROUTE[1:], hosts, strict=True)
        )

    def __enter__(self) -> Self:
        try:
            for manager in (self._relay, self._next):
                manager.sync_database()
            self._link()
            # The first start of a consumer declares its queue.
            for manager in (self._relay, self._next):
                manager.start(self._environment)
            for manager in (self._relay, self._next):
                manager.wait_ready()
            self._transport = connect(self._next.transport_url)
        except BaseException:
            self._stop()
            raise
        return self

    def _link(self) -> None:
        """Register the cells with each other."""
        self._relay.link_child(self._next)

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.cleanup()
        self._stop()

    def _stop(self) -> None:
        self._relay.stop()
        self._next.stop()

    def _last_arrival(self, series: str, count: int) -> float:
        try:
            return last_arrival(self._arrived, series, count)
        except TimeoutError as error:
            counters = {manager.name: manager.status()["counters"] for manager in (self._relay, self._next)}
            raise TimeoutError(f"{error}; the managers have counted {counters}") from error

    @contextlib.contextmanager
    def _profiled(self, profiles: Path | None) -> Iterator[None]:
        if profiles is None:
            yield
            return
        with contextlib.ExitStack() as stack:
            # Otherwise the manager would be done before py-spy is ready.
            self._relay.signal(signal.SIGSTOP)
            for manager in (self._relay, self._next):
                stack.enter_context(profile.recorded(manager.running.pid, profiles / f"{manager.name}.txt"))
            self._relay.signal(signal.SIGCONT)
            yield

    def _seconds(self) -> dict[str, float]:
        """Return the processor time of the running processes."""
        managers = {"relay": self._relay, "next cell": self._next}
        pids = {name: manager.running.pid for name, manager in managers.items() if manager.process is not None}
        return seconds({**pids, "broker": self._node.pid})

    def _arrived(self, series: str, expected: int) -> dict[str, object]:
        api = CellsAPI(self._transport, timeout=60)
        arguments = {"series": series, "expected": expected}
        answer: dict[str, object] = api.call(get_admin_context(), ROUTE[-1], "arrived", arguments)
        return answer
