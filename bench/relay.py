"""A relay compared with RabbitMQ's shovel: messages wait in its queue and must reach the next cell's endpoint.

Both use the same broker, a node of the benchmark's own, and the same messages of 1 KiB.  For
the shovel each message is an AMQP message; for the relay the messages wait as a busy neighbor
sends them: many in a cast.  The relay starts when all messages wait.  Both clocks start when
the first message is taken from the queue; the shovel's clock stops when all messages wait in
the target queue, the relay's clock when the endpoint has been called exactly once for each.

Over direct links no message waits in a queue: this process sends the messages while they are
relayed, and the clock starts with the first one.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench import profile, sender, shovel
from bench.broker_queue import opened
from bench.direct_relay import DirectRelay
from bench.relay_cells import ROUTE, Measured, RelayCells
from bench.report import Aim, Row, csv_lines
from bench.run import Run, directory, own_node
from cells import versions
from cells.drivers.direct.frames import MAX_ENTRIES

#: Numbers of messages in a cast; the link of this release builds the largest when so many wait.
BATCHES = (1, 16, 64, 256)
#: One message per cast is slow, so the number of messages is divided by this.
DIVISOR = 10
AIMS = {BATCHES[-1]: Aim(">=", 1.5, "x")}
#: Virtual hosts of the cells with direct links.
DIRECT_HOSTS = ("direct-relay", "direct-next")


class QueueRelay(RelayCells):
    """A relay whose messages wait in its queue; its manager is restarted for each measurement."""

    def _link(self) -> None:
        """Register the cells with each other, and the simulated one, from which the messages come, with the relay."""
        super()._link()
        url = self._node.url(ROUTE[0])
        self._relay.succeed("neighbor", "create", ROUTE[0], "--type", "parent", "--transport-url", url)

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
            before = self._seconds()
            self._relay.start(self._environment)
            started_at = queue.wait_until_taken_from(queued)
            before["relay"] = self._seconds()["relay"]
            with self._profiled(profiles):
                ended_at = self._last_arrival(series, count)
        after = self._seconds()
        used = {name: 1e6 * (after[name] - before[name]) / count for name in after}
        return Measured(count / (ended_at - started_at), used)


def rows(run: Run) -> list[Row]:
    """Return the rows about relaying."""
    shovels: list[float] = []
    measured: dict[int, list[Measured]] = defaultdict(list)
    direct: dict[int, list[Measured]] = defaultdict(list)
    texts = [message.to_json() for message in sender.casts(ROUTE, "000", run.messages, versions.OLDEST)]
    hosts = [*ROUTE, shovel.SOURCE, shovel.TARGET, *DIRECT_HOSTS]
    with (
        own_node(hosts, [shovel.PLUGIN]) as node,
        directory() as made,
        directory() as other,
        QueueRelay(node, made, (ROUTE[1], ROUTE[2]), {}) as relay,
        DirectRelay(node, other, DIRECT_HOSTS) as direct_relay,
    ):
        relay.measure("warm", 1280, BATCHES[-1])
        direct_relay.measure("warm", 1280, MAX_ENTRIES)
        for number in range(run.rounds):
            shovels.append(shovel.rate(node, texts))
            for batch in BATCHES:
                count = run.messages if batch > 1 else run.messages // DIVISOR
                measured[batch].append(relay.measure(f"{number}.{batch}", count, batch))
            for most in (1, MAX_ENTRIES):
                direct[most].append(direct_relay.measure(f"{number}.{most}", run.messages, most))
        if run.profiles is not None:
            relay.measure("profiled", run.messages, BATCHES[-1], run.profiles)
            _report_profiles(run.profiles, run.figures)
    return [
        _shovel_row(shovels, run.messages),
        _row("direct links, one message in a frame", direct[1], shovels, Aim(">=", 0.6, "x")),
        _row("direct links, sender on the same cores", direct[MAX_ENTRIES], shovels, Aim(">=", 2.5, "x")),
        _row("one message in a cast", measured[1], shovels),
        *(_row(f"{batch} messages in a cast", measured[batch], shovels, AIMS.get(batch)) for batch in BATCHES[1:]),
    ]


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


def _row(title: str, measured: Sequence[Measured], shovels: Sequence[float], aim: Aim | None = None) -> Row:
    ratios = [one.per_second / unit for one, unit in zip(measured, shovels, strict=True)]
    rate = statistics.median(one.per_second for one in measured)
    used = ", ".join(
        f"{name} {statistics.median(one.microseconds[name] for one in measured):.0f}"
        for name in measured[0].microseconds
    )
    detail = f"{rate:.0f} messages/s; processor: {used} us each"
    return Row(f"relay, {title}", len(measured), detail, statistics.median(ratios), "x", aim)
