"""Cost of calls relative to a plain call, over one hop and two, at the newest version and under a cap of 1.0."""

from __future__ import annotations

from collections.abc import Mapping

from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Aim, Row
from bench.run import Run, directory
from bench.speed import THREADS, Rate, Speed, measure_kinds

#: Figures of the release that knew only version 1.0.
ONE_HOP_BEFORE, TWO_HOPS_BEFORE = 2.42, 3.58


def rows(run: Run) -> list[Row]:
    """Return the rows for neighbors that use the newest version, as they do by default."""
    speeds = _measure(run, {})
    return [
        latency_row("plain oslo.messaging call (the unit)", speeds, "plain"),
        latency_row("call over one hop", speeds, "one_hop", Aim("<=", 2.3, "x")),
        latency_row("call of a service over one hop", speeds, "service", Aim("<=", 3.8, "x")),
        latency_row("call over two hops", speeds, "two_hops", Aim("<=", 3.3, "x")),
        latency_row("broadcast, chain of three cells", speeds, "broadcast", Aim("<=", 4.2, "x")),
        rate_row("plain calls, 16 threads (the unit)", speeds.rates["plain"]),
        rate_row("one-hop calls, 16 threads", speeds.rates["one_hop"], Aim(">=", 0.5, "x")),
        rate_row("one-hop calls of a service, 16 threads", speeds.rates["service"]),
    ]


def capped_rows(run: Run) -> list[Row]:
    """Return the rows under ``[upgrade_levels] intercell = 1.0``: newer versions must not slow it down."""
    speeds = _measure(run, {"upgrade_levels": {"intercell": "1.0"}})
    return [
        latency_row("plain oslo.messaging call (the unit)", speeds, "plain"),
        latency_row(f"call over one hop at 1.0 (before: {ONE_HOP_BEFORE:g}x)", speeds, "one_hop"),
        latency_row(f"call over two hops at 1.0 (before: {TWO_HOPS_BEFORE:g}x)", speeds, "two_hops"),
        latency_row("broadcast at 1.0, chain of three cells", speeds, "broadcast"),
        rate_row("plain calls, 16 threads (the unit)", speeds.rates["plain"]),
        rate_row("one-hop calls at 1.0, 16 threads", speeds.rates["one_hop"]),
    ]


def _measure(run: Run, options: Mapping[str, Mapping[str, object]]) -> Speed:
    with (
        run.virtual_hosts(4) as urls,
        directory() as made,
        PlainCall(urls[0]) as plain,
        Chain(made, urls[1:], options=options) as chain,
    ):
        kinds = {
            "plain": plain,
            "one_hop": chain.one_hop,
            "service": chain.service,
            "two_hops": chain.two_hops,
            "broadcast": chain.broadcast,
        }
        loads = {kind: kinds[kind] for kind in ("plain", "one_hop", "service")}
        return measure_kinds(kinds, loads, run.rounds, run.calls)


def latency_row(label: str, speeds: Speed, kind: str, aim: Aim | None = None) -> Row:
    """Return the row about the duration of one kind of calls."""
    latency = speeds.latencies[kind]
    detail = f"p50 {latency.p50 * 1000:.2f} ms, p95 {latency.p95 * 1000:.2f} ms"
    return Row(label, len(latency.seconds), detail, latency.ratio, "x", aim)


def rate_row(label: str, rate: Rate, aim: Aim | None = None) -> Row:
    """Return the row about the calls per second of one kind of calls."""
    samples = len(rate.per_second)
    detail = f"{sorted(rate.per_second)[samples // 2]:.0f} calls/s from {THREADS} threads"
    return Row(label, samples, detail, rate.ratio, "x", aim)
