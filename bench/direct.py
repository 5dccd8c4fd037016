"""Calls over direct links, relative to a plain call and to calls over the neighbors' brokers of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from bench.calls import latency_row, rate_row
from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.sketch import Sketch
from bench.speed import Speed, measure_kinds


def rows(run: Run) -> list[Row]:
    """Return the rows for cells on RabbitMQ, and for cells without a broker."""
    return [*_on_rabbitmq(run), *_without_a_broker(run)]


def _on_rabbitmq(run: Run) -> list[Row]:
    with (
        run.virtual_hosts(7) as urls,
        directory() as made,
        directory() as other,
        PlainCall(urls[0]) as plain,
        Sketch(urls[0], made) as sketch,
        Chain(made, urls[1:4], links="direct") as direct,
        Chain(other, urls[4:]) as over_brokers,
    ):
        kinds = {
            "plain": plain,
            "sketch": sketch,
            **_kinds(direct),
            **{f"{kind} over brokers": call for kind, call in _kinds(over_brokers).items()},
        }
        loads = {kind: kinds[kind] for kind in ("plain", "sketch", "one_hop", "service", "one_hop over brokers")}
        speeds = measure_kinds(kinds, loads, run.rounds, run.calls)
    return [
        latency_row("plain oslo.messaging call (the unit)", speeds, "plain"),
        latency_row("a sketch: one socket between two managers, no routing", speeds, "sketch"),
        latency_row("call over one hop, direct link", speeds, "one_hop", Aim("<=", 1.35, "x")),
        latency_row("the same over the neighbor's broker", speeds, "one_hop over brokers"),
        latency_row("call over two hops, direct links", speeds, "two_hops", Aim("<=", 1.5, "x")),
        latency_row("the same over the neighbors' brokers", speeds, "two_hops over brokers"),
        latency_row("call of a service over one hop, direct link", speeds, "service", Aim("<=", 2.5, "x")),
        latency_row("the same over the neighbor's broker", speeds, "service over brokers"),
        latency_row("broadcast, chain of three cells, direct links", speeds, "broadcast", Aim("<=", 2.0, "x")),
        latency_row("the same over the neighbors' brokers", speeds, "broadcast over brokers"),
        rate_row("plain calls, 16 threads (the unit)", speeds.rates["plain"]),
        rate_row("calls of the sketch, 16 threads", speeds.rates["sketch"]),
        rate_row("one-hop calls, direct link, 16 threads", speeds.rates["one_hop"], Aim(">=", 0.88, "x")),
        rate_row("the same over the neighbor's broker", speeds.rates["one_hop over brokers"]),
        rate_row("one-hop calls of a service, direct link, 16 threads", speeds.rates["service"]),
    ]


def _without_a_broker(run: Run) -> list[Row]:
    with directory() as made:
        speeds = _measure_without_a_broker(made, run.rounds, run.calls)
    per_second = speeds.rates["one_hop"].per_second
    to_sketch = statistics.median(
        one / other
        for one, other in zip(speeds.latencies["one_hop"].ratios, speeds.latencies["sketch"].ratios, strict=True)
    )
    return [
        latency_row("plain call without a broker (the unit)", speeds, "plain"),
        latency_row("the sketch without a broker", speeds, "sketch"),
        latency_row("call over one hop without a broker, direct link", speeds, "one_hop"),
        Row("the same, relative to the sketch", run.rounds, "", to_sketch, "x", Aim("<=", 1.5, "x")),
        latency_row("call over two hops without a broker, direct links", speeds, "two_hops"),
        rate_row("one-hop calls without a broker, direct link, 16 threads", speeds.rates["one_hop"]),
        Row("the same, in calls/s", len(per_second), "", statistics.median(per_second), "/s", Aim(">=", 3000, "/s")),
    ]


def _measure_without_a_broker(place: Path, rounds: int, calls: int) -> Speed:
    urls = [f"zmq+ipc://{place}/{name}" for name in ("plain", "api", "child", "grandchild")]
    with PlainCall(urls[0]) as plain, Sketch(urls[0], place) as sketch, Chain(place, urls[1:], links="direct") as chain:
        kinds = {"plain": plain, "sketch": sketch, **_kinds(chain)}
        loads = {kind: kinds[kind] for kind in ("plain", "one_hop")}
        return measure_kinds(kinds, loads, rounds, calls)


def _kinds(chain: Chain) -> dict[str, Callable[[], None]]:
    return {
        "one_hop": chain.one_hop,
        "service": chain.service,
        "two_hops": chain.two_hops,
        "broadcast": chain.broadcast,
    }
