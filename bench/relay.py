"""A relay compared with RabbitMQ's shovel: messages wait in its queue and must reach the next cell's endpoint.

Both use the same broker, a node of the benchmark's own, and the same messages of 1 KiB.  For
the shovel each message is an AMQP message; for the relay the messages wait as a busy neighbor
sends them: many in a cast.  The relay starts when all messages wait.  Both clocks start when
the first message is taken from the queue; the shovel's clock stops when all messages wait in
the target queue, the relay's clock when the endpoint has been called exactly once for each.
"""

from __future__ import annotations

import contextlib
import signal
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench import endpoints, profile, sender, shovel
from bench.arrivals import last_arrival
from bench.broker_queue import opened
from bench.processor_time import seconds
from bench.report import Aim, Row, csv_lines
from bench.run import Run, directory, own_node
from cells import versions
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from tools import endpoint_package
from tools.broker_node import BrokerNode
from tools.manager_process import ManagerProcess
from tools.transports import connect

#: Numbers of messages in a cast; the link of this release builds the largest when so many wait.
BATCHES = (1, 16, 64, 256)
#: One message per cast is slow, so the number of messages is divided by this.
DIVISOR = 10
VERSION = {"upgrade_levels": {"intercell": versions.CURRENT}}
#: Route of the messages; the first cell is simulated by :mod:`bench.sender`.
ROUTE = ("api", "relay", "next")


@dataclass(frozen=True)
class Measured:
    """Result of one run of the relay."""

    per_second: float
    #: microseconds of processor time per message, by process
    microseconds: Mapping[str, float]


class Relay:
    """Two cells as real managers; the upper manager is restarted for each measurement."""

    def __init__(self, node: BrokerNode, place: Path) -> None:
        self._node = node
        self._place = place
        self._environment = endpoint_package.install(place / "endpoints", endpoints.__file__, "bench")
        self._relay, self._next = (ManagerProcess(place, name, node.url(name), options=VERSION) for name in ROUTE[1:])

    def __enter__(self) -> Relay:
        try:
            for manager in (self._relay, self._next):
                manager.sync_database()
            self._relay.link_child(self._next)
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

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.cleanup()
        self._stop()

    def _stop(self) -> None:
        self._relay.stop()
        self._next.stop()

    def measure(self, series: str, count: int, batch: int, profiles: Path | None = None) -> Measured:
        """Measure how ``count`` messages, waiting in casts of ``batch``, are relayed."""
        self._relay.stop()
        url = self._relay.transport_url
        with opened(url, sender.QUEUE) as queue, sender.sending_to(ROUTE[1], url, self._place) as above:
            queue.purge()
            waiting = above.send(sender.casts(ROUTE, series, count), batch)
            queue.wait_for(waiting)
            # The next cell may have sent messages, too.
            queued = queue.count()
            before = seconds(self._pids(is_running=False))
            self._relay.start(self._environment)
            started_at = queue.wait_until_taken_from(queued)
            before["relay"] = seconds({"relay": self._relay.running.pid})["relay"]
            with self._profiled(profiles):
                ended_at = self._last_arrival(series, count)
        after = seconds(self._pids(is_running=True))
        used = {name: 1e6 * (after[name] - before[name]) / count for name in after}
        return Measured(count / (ended_at - started_at), used)

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

    def _pids(self, *, is_running: bool) -> dict[str, int]:
        pids = {"broker": self._node.pid, "next cell": self._next.running.pid}
        return {"relay": self._relay.running.pid, **pids} if is_running else pids

    def _arrived(self, series: str, expected: int) -> dict[str, object]:
        api = CellsAPI(self._transport, timeout=60)
        arguments = {"series": series, "expected": expected}
        answer: dict[str, object] = api.call(get_admin_context(), ROUTE[-1], "arrived", arguments)
        return answer


def rows(run: Run) -> list[Row]:
    """Return the rows about relaying."""
    shovels: list[float] = []
    measured: dict[int, list[Measured]] = defaultdict(list)
    texts = [message.to_json() for message in sender.casts(ROUTE, "000", run.messages, versions.OLDEST)]
    hosts = [*ROUTE[1:], shovel.SOURCE, shovel.TARGET]
    with own_node(hosts, [shovel.PLUGIN]) as node, directory() as made, Relay(node, made) as relay:
        relay.measure("warm", 1280, BATCHES[-1])
        for number in range(run.rounds):
            shovels.append(shovel.rate(node, texts))
            for batch in BATCHES:
                count = run.messages if batch > 1 else run.messages // DIVISOR
                measured[batch].append(relay.measure(f"{number}.{batch}", count, batch))
        if run.profiles is not None:
            relay.measure("profiled", run.messages, BATCHES[-1], run.profiles)
            _report_profiles(run.profiles, run.figures)
    return [_shovel_row(shovels, run.messages), *(_relay_row(batch, measured[batch], shovels) for batch in BATCHES)]


def _report_profiles(profiles: Path, figures: Path | None) -> None:
    stacks = {name: profiles / f"{name}.txt" for name in ROUTE[1:]}
    for name, file in stacks.items():
        print(profile.table(f"cell {name}", file))
    if figures is not None:
        relay, following = (profile.libraries(file) for file in stacks.values())
        lines = [["library", "relay", "next cell"]]
        lines += [[library, f"{relay[library]:.0f} %", f"{following.get(library, 0):.0f} %"] for library in relay]
        (figures / "relay-profile.csv").write_text(csv_lines(lines))


def _shovel_row(rates: list[float], count: int) -> Row:
    return Row(
        f"RabbitMQ's shovel, {count:,} messages (the unit)",
        len(rates),
        f"{statistics.median(rates):.0f} messages/s",
        1.0,
        "x",
    )


def _relay_row(batch: int, measured: list[Measured], shovels: list[float]) -> Row:
    ratios = [one.per_second / unit for one, unit in zip(measured, shovels, strict=True)]
    rate = statistics.median(one.per_second for one in measured)
    used = ", ".join(
        f"{name} {statistics.median(one.microseconds[name] for one in measured):.0f}"
        for name in measured[0].microseconds
    )
    label = f"relay, {batch} messages in a cast" if batch > 1 else "relay, one message in a cast"
    detail = f"{rate:.0f} messages/s; processor: {used} us each"
    aim = Aim(">=", 1.5, "x") if batch == BATCHES[-1] else None
    return Row(label, len(measured), detail, statistics.median(ratios), "x", aim)
