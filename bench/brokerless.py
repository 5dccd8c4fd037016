"""The transport without a broker: its plain call against RabbitMQ's, and calls through cells against its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.chain import Chain
from bench.plain import PlainCall
from bench.speed import Speed, measure_kinds


def measure(directory: Path, rabbit_url: str, rounds: int, calls: int) -> Speed:
    """Measure ``rounds`` times ``calls`` calls of each kind; the unit is the plain call without a broker.

    :param directory: for sockets: a short path, because theirs have little room
    """
    urls = [f"zmq+ipc://{directory}/{name}" for name in ("plain", "api", "child", "grandchild")]
    with PlainCall(rabbit_url) as rabbit, PlainCall(urls[0]) as plain, Chain(directory, urls[1:]) as chain:
        kinds: dict[str, Callable[[], None]] = {
            "plain": plain,
            "rabbit": rabbit,
            "one_hop": chain.one_hop,
            "service": chain.service,
            "two_hops": chain.two_hops,
            "broadcast": chain.broadcast,
        }
        loads = {kind: kinds[kind] for kind in ("plain", "rabbit", "one_hop")}
        return measure_kinds(kinds, loads, rounds, calls)
