"""Cost of calls and casts under the RabbitMQ options of deployment tools.

The unit of each profile is a plain call, or plain casts, with the options of this profile: the ratio is the cost of
cells, and the detail the cost of the profile.
"""

from __future__ import annotations

from bench import casts
from bench.calls import latency_row
from bench.chain import Chain
from bench.plain import PlainCall
from bench.report import Row
from bench.run import Run, directory, own_node
from bench.speed import THREADS, measure_kinds
from tools.broker_profiles import PROFILES, Profile, with_options


def rows(run: Run) -> list[Row]:
    """Return four rows for each profile."""
    return [row for name, profile in PROFILES.items() for row in _rows(run, name, profile)]


def _rows(run: Run, name: str, profile: Profile) -> list[Row]:
    # A node for each profile: the queues and streams of the profiles before cost nothing.
    hosts = ("plain", "api", "child")
    with (
        own_node(hosts) as node,
        directory() as made,
        PlainCall(with_options(node.url("plain"), profile), made) as plain,
        Chain(made, [node.url(host) for host in hosts[1:]], profile=profile) as chain,
    ):
        speeds = measure_kinds({"plain": plain, "one_hop": chain.one_hop}, {}, run.rounds, run.calls)
        methods = [casts.plain_casts(plain), casts.one_hop_casts(chain, None)]
        plain_rates, cells_rates = casts.measure(methods, run.rounds, run.calls)
    return [
        latency_row(f"{name}: plain calls (the unit)", speeds, "plain"),
        latency_row(f"{name}: calls over one hop", speeds, "one_hop"),
        casts.rate_row(f"{name}: plain casts, {THREADS} threads (the unit)", plain_rates, plain_rates),
        casts.rate_row(f"{name}: casts over one hop, {THREADS} threads", cells_rates, plain_rates),
    ]
