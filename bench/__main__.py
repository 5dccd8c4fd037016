"""Run the benchmark and print its table: ``python -m bench --rounds 5 --calls 100``."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench import brokerless, busy, crowd, footprint, machine, speed
from bench.chain import Chain
from bench.footprint import NEIGHBORS, Footprint
from bench.plain import PlainCall
from bench.report import Aim, Row, table
from bench.speed import THREADS, Rate, Speed
from tools import virtual_hosts
from tools.manager_process import ProcessError

URL = os.environ.get("CELLS_TEST_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")


def main() -> int:
    """Run it from the command line; missed aims are no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="What a call through cells costs.")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=100, help="calls of each kind per round (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--rabbit-url", default=URL, help="the RabbitMQ to use (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        described = machine.describe(arguments.rabbit_url)
        rows = measure(arguments.rabbit_url, arguments.rounds, arguments.calls)
    except (virtual_hosts.BrokerError, ProcessError, TimeoutError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{name} {text}" for name, text in described.items()), end="\n\n")
    print(table(rows))
    if arguments.json:
        results = {"machine": described, "rows": [row.as_dict() for row in rows]}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def measure(url: str, rounds: int, calls: int) -> list[Row]:
    """Measure everything on virtual hosts of its own."""
    virtual_hosts.check_reachable([url])
    hosts = virtual_hosts.VirtualHosts(url, prefix="cells-bench")
    try:
        urls = hosts.create(6)
        with tempfile.TemporaryDirectory(prefix="cells-bench-") as directory:
            costs = footprint.measure(Path(directory), urls[0], urls[1], starts=rounds)
            with PlainCall(urls[2]) as plain, Chain(Path(directory) / "rabbit", urls[3:]) as chain:
                speeds = speed.measure(plain, chain, rounds, calls)
                crowded = busy.measure(chain, rounds)
            brokerless_speeds = brokerless.measure(Path(directory) / "zmq", urls[2], rounds, calls)
            many = crowd.measure(Path(directory) / "crowd", rounds * 4)
    finally:
        hosts.delete()
    return [
        *speed_rows(speeds),
        *busy_rows(crowded),
        *footprint_rows(costs),
        *brokerless_rows(brokerless_speeds),
        *crowd_rows(many),
    ]


def speed_rows(speeds: Speed) -> list[Row]:
    """The lines about calls."""
    return [
        _latency_row("plain oslo.messaging call (the unit)", speeds, "plain", None),
        _latency_row("call over one hop", speeds, "one_hop", Aim("<=", 2.7, "x")),
        _latency_row("call of a service over one hop", speeds, "service", Aim("<=", 3.8, "x")),
        _latency_row("call over two hops", speeds, "two_hops", Aim("<=", 4.0, "x")),
        _latency_row("broadcast, chain of three cells", speeds, "broadcast", Aim("<=", 4.2, "x")),
        _rate_row("plain calls, 16 threads (the unit)", speeds.rates["plain"], None),
        _rate_row("one-hop calls, 16 threads", speeds.rates["one_hop"], Aim(">=", 0.38, "x")),
        _rate_row("one-hop calls of a service, 16 threads", speeds.rates["service"], None),
    ]


def brokerless_rows(speeds: Speed) -> list[Row]:
    """The lines about calls without a broker."""
    return [
        _latency_row("plain call without a broker (the unit)", speeds, "plain", None),
        _latency_row("plain call over RabbitMQ", speeds, "rabbit", Aim(">=", 3.0, "x")),
        _latency_row("call over one hop without a broker", speeds, "one_hop", Aim("<=", 2.5, "x")),
        _latency_row("call of a service over one hop without a broker", speeds, "service", None),
        _latency_row("call over two hops without a broker", speeds, "two_hops", None),
        _latency_row("broadcast, chain of three cells, without a broker", speeds, "broadcast", None),
        _rate_row("plain calls without a broker, 16 threads (the unit)", speeds.rates["plain"], None),
        _rate_row("plain calls over RabbitMQ, 16 threads", speeds.rates["rabbit"], None),
        _rate_row("one-hop calls without a broker, 16 threads", speeds.rates["one_hop"], None),
        Row(
            "the same, in calls/s",
            len(speeds.rates["one_hop"].per_second),
            "",
            statistics.median(speeds.rates["one_hop"].per_second),
            "/s",
            Aim(">=", 2000, "/s"),
        ),
    ]


def busy_rows(found: busy.Busy) -> list[Row]:
    """The line about a manager whose services are slow."""
    detail = f"p50 {found.idle_seconds * 1000:.1f} ms alone, {found.busy_seconds * 1000:.1f} ms beside them"
    what = f"ping beside {busy.CALLS} calls of a service that take {busy.SECONDS:g} s"
    return [Row(what, len(found.ratios), detail, statistics.median(found.ratios), "x", Aim("<=", 2.0, "x"))]


def crowd_rows(many: crowd.Crowd) -> list[Row]:
    """The lines about a sandbox of many managers."""
    detail = f"resident {many.resident_mb:.0f} MB, {many.proportional_mb / many.cells:.1f} MB each"
    broadcast = f"slowest {max(many.broadcast_seconds):.2f} s"
    return [
        Row(f"sandbox of {many.cells} managers, until it is up", 1, "", many.up_seconds, " s"),
        Row("its memory", 1, detail, many.proportional_mb, " MB", Aim("<=", 5000, " MB")),
        Row(
            "broadcast to all of it, warm",
            len(many.broadcast_seconds),
            broadcast,
            many.broadcast_p50,
            " s",
            Aim("<", 1, " s"),
        ),
    ]


def _latency_row(what: str, speeds: Speed, kind: str, aim: Aim | None) -> Row:
    latency = speeds.latencies[kind]
    detail = f"p50 {latency.p50 * 1000:.2f} ms, p95 {latency.p95 * 1000:.2f} ms"
    return Row(what, len(latency.seconds), detail, latency.ratio, "x", aim)


def _rate_row(what: str, rate: Rate, aim: Aim | None) -> Row:
    samples = len(rate.per_second)
    detail = f"{sorted(rate.per_second)[samples // 2]:.0f} calls/s from {THREADS} threads"
    return Row(what, samples, detail, rate.ratio, "x", aim)


def footprint_rows(costs: Footprint) -> list[Row]:
    """The lines about a manager that is idle."""
    usual, slowest = footprint.summary(costs.start_seconds)
    growth = costs.neighbors_rss_mb - costs.idle_rss_mb
    memory = f"{costs.idle_rss_mb:.1f} MB, then {costs.neighbors_rss_mb:.1f} MB"
    connections = costs.neighbors_connections - costs.idle_connections
    links = f"{costs.idle_connections}, then {costs.neighbors_connections}"
    return [
        Row("memory of an idle manager", 1, "resident", costs.idle_rss_mb, " MB", Aim("<=", 100, " MB")),
        Row(
            "from exec to ready", len(costs.start_seconds), f"slowest {slowest:.2f} s", usual, " s", Aim("<=", 2, " s")
        ),
        Row(f"memory that {NEIGHBORS} neighbours add", 1, memory, growth, " MB", Aim("<", 20, " MB")),
        Row(f"connections that {NEIGHBORS} neighbours add", 1, links, connections, "", Aim("<=", 0, "")),
    ]


if __name__ == "__main__":
    sys.exit(main())
