"""The transport without a broker: its plain call compared with RabbitMQ's, and calls through cells over it."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench.calls import latency_row, rate_row
from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.speed import Speed, measure_kinds


def rows(run: Run) -> list[Row]:
    """Return the rows about calls without a broker."""
    with run.virtual_hosts(1) as urls, directory() as made:
        speeds = measure(made, urls[0], run.rounds, run.calls)
    one_hop = speeds.rates["one_hop"]
    per_second = statistics.median(one_hop.per_second)
    return [
        latency_row("plain call without a broker (the unit)", speeds, "plain"),
        latency_row("plain call over RabbitMQ", speeds, "rabbit", Aim(">=", 3.0, "x")),
        latency_row("call over one hop without a broker", speeds, "one_hop", Aim("<=", 2.5, "x")),
        latency_row("call of a service over one hop without a broker", speeds, "service"),
        latency_row("call over two hops without a broker", speeds, "two_hops"),
        latency_row("broadcast, chain of three cells, without a broker", speeds, "broadcast"),
        rate_row("plain calls without a broker, 16 threads (the unit)", speeds.rates["plain"]),
        rate_row("plain calls over RabbitMQ, 16 threads", speeds.rates["rabbit"]),
        rate_row("one-hop calls without a broker, 16 threads", one_hop),
        Row("the same, in calls/s", len(one_hop.per_second), "", per_second, "/s", Aim(">=", 2000, "/s")),
    ]


def measure(place: Path, rabbit_url: str, rounds: int, calls: int) -> Speed:
    """Measure ``rounds`` times ``calls`` calls of each kind; the unit is the plain call without a broker.

    :param place: directory for sockets; its path must be short
    """
    urls = [f"zmq+ipc://{place}/{name}" for name in ("plain", "api", "child", "grandchild")]
    with PlainCall(rabbit_url) as rabbit, PlainCall(urls[0]) as plain, Chain(place, urls[1:]) as chain:
        kinds = {
            "plain": plain,
            "rabbit": rabbit,
            "one_hop": chain.one_hop,
            "service": chain.service,
            "two_hops": chain.two_hops,
            "broadcast": chain.broadcast,
        }
        loads = {kind: kinds[kind] for kind in ("plain", "rabbit", "one_hop")}
        return measure_kinds(kinds, loads, rounds, calls)
