"""The catalog of drills: each has a name, a fault, and the promises that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drills import faults
from drills.faults import Fault
from drills.kinds import BURST_RATES, NORMAL_RATES
from drills.tree import Options

#: Queues and exchanges survive a restart of their broker.
DURABLE: Options = {"oslo_messaging_rabbit": {"amqp_durable_queues": True}}


@dataclass(frozen=True)
class Drill:
    """One drill.

    :param title: for the table
    :param usual_seconds: the duration of the fault on an idle machine; a longer one allows more errors
    :param loses_nothing: whether every accepted message must run: the fault is an orderly restart
    :param drops_queues: whether a broker drops the messages of its queues; nothing else may be lost without a count
    :param managers: of ``east``
    :param clock_ahead_seconds: of the manager of ``east``
    """

    name: str
    title: str
    fault: Fault
    usual_seconds: float = 0.0
    loses_nothing: bool = False
    drops_queues: bool = False
    managers: int = 1
    options: Options | None = None
    rates: Mapping[str, float] = field(default_factory=lambda: NORMAL_RATES)
    clock_ahead_seconds: int = 0


#: The time in which a manager is down and starts.
RESTART_SECONDS = faults.DOWN_SECONDS + 2

_DRILLS = (
    Drill("baseline", "no fault", faults.nothing(), loses_nothing=True),
    *(
        Drill(f"kill9-{host}", f"manager of {host}: kill -9", faults.kill9(host), RESTART_SECONDS)
        for host in ("east", "api", "az1")
    ),
    *(
        Drill(
            f"sigterm-{host}",
            f"manager of {host}: SIGTERM",
            faults.sigterm(host),
            RESTART_SECONDS,
            loses_nothing=True,
        )
        for host in ("east", "api", "az1")
    ),
    Drill("broker-restart", "broker of east restarted", faults.broker_restarted, 13, drops_queues=True),
    Drill("link-cut", "link api-east cut for 30 s", faults.link_cut(30), 30),
    Drill("link-stalled", "link api-east stalled for 30 s", faults.link_stalled(30), 30),
    *(
        Drill(f"freeze-{host}", f"manager of {host}: frozen for 20 s", faults.frozen(host, 20), 20)
        for host in ("east", "az1")
    ),
    Drill(
        "close-connections-east",
        "all connections of east closed",
        faults.connections_closed(lambda tree: tree.broker_of_east, "east"),
        2,
    ),
    Drill(
        "close-connections-api",
        "all connections of api closed",
        faults.connections_closed(lambda tree: tree.broker, "api"),
        2,
    ),
    Drill("database-cut", "database of east away for 30 s", faults.database_cut(30), 30, loses_nothing=True),
    Drill(
        "start-without-database",
        "manager of east restarted while its database is away for 8 s",
        faults.start_without_database(8),
        11,
        loses_nothing=True,
    ),
    Drill(
        "freeze-kill9-east",
        "manager of east: frozen for 6 s, then kill -9",
        faults.frozen_then_kill9("east", 6),
        6 + RESTART_SECONDS,
    ),
    Drill(
        "power-cycle",
        "manager of east stopped, then its broker restarted",
        faults.power_cycle,
        17,
        drops_queues=True,
    ),
    Drill(
        "power-cycle-durable",
        "the same with durable queues",
        faults.power_cycle,
        17,
        options=DURABLE,
    ),
    Drill(
        "broker-restart-durable",
        "broker of east restarted, durable queues",
        faults.broker_restarted,
        13,
        options=DURABLE,
    ),
    Drill("service-kill9", "service of az1: kill -9", faults.service_kill9("az1"), 3),
    Drill(
        "clock-ahead", "clock of east one hour ahead", faults.nothing(), clock_ahead_seconds=3600, loses_nothing=True
    ),
    Drill(
        "two-managers-freeze",
        "two managers of east, one frozen for 15 s",
        faults.frozen("east-1", 15),
        15,
        managers=2,
    ),
    Drill(
        "two-managers-kill9",
        "two managers of east, one kill -9",
        faults.kill9("east-1"),
        RESTART_SECONDS,
        managers=2,
    ),
    *(
        Drill(
            f"burst-{kind}-{host}",
            f"60 casts per second and client, manager of {host}: {title}",
            fault(host),
            RESTART_SECONDS,
            rates=BURST_RATES,
            loses_nothing=kind == "sigterm",
        )
        for kind, title, fault in (("sigterm", "SIGTERM", faults.sigterm), ("kill9", "kill -9", faults.kill9))
        for host in ("east", "api")
    ),
)
DRILLS: Mapping[str, Drill] = {drill.name: drill for drill in _DRILLS}
