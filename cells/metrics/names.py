"""The table of all metrics of a manager: the reference page and the collectors are made from it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

#: Label of the name of a neighbor.
NEIGHBOR = "neighbor"
#: Label of the direction of a neighbor, ``up`` for a parent, ``down`` for a child; or of messages, ``in`` or ``out``.
DIRECTION = "direction"
#: Label of a kind of messages, calls or threads.
TYPE = "type"
#: Label of an outcome.
RESULT = "result"


class Kind(Enum):
    """Types of metrics in Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Name(NamedTuple):
    """One metric."""

    kind: Kind
    #: names of its labels
    labels: tuple[str, ...]
    #: its meaning and unit
    text: str


_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

#: Metrics of the manager: name -> its type, labels and meaning.
MANAGER: dict[str, Name] = {
    "cells_build_info": Name(
        _GAUGE,
        ("version", "reads", "cell", "host"),
        "Always 1: the release, the highest version of the inter-cell API that it reads, the name of the cell and the "
        "host of the manager",
    ),
    "cells_health": Name(
        _GAUGE,
        (),
        "0 if the manager is not ready; else the share of its neighbors that are up, from 0 to 1. Neighbors in state "
        "unknown are left out; 1 if there are no others",
    ),
    "cells_ready": Name(_GAUGE, (), "1 if /readyz answers 200, else 0"),
    "cells_neighbors": Name(_GAUGE, (DIRECTION,), "Registered neighbors: up are parents, down are children"),
    "cells_events_total": Name(
        _COUNTER,
        ("event", "reason"),
        "What happened to messages: the counters of cells status. Duplicates are dropped/duplicate, late work is "
        "dropped/late, refusals are refused, rejected and over_budget, the verdicts of broadcasts are broadcast",
    ),
    "cells_received_messages_total": Name(
        _COUNTER, (TYPE,), "Readable messages from neighbors, by type on the wire: targeted, broadcast, response"
    ),
    "cells_pending_calls": Name(
        _GAUGE,
        (TYPE,),
        "Calls that wait for answers: of services of this cell (service), of neighbors (neighbor), and of the manager "
        "itself (manager); and casts of services whose callers wait until the next cell has them (cast)",
    ),
    "cells_threads": Name(_GAUGE, (), "Threads of the process"),
    "cells_endpoint_calls": Name(
        _GAUGE, (TYPE,), "Calls of endpoints that may block: running on a thread, or waiting for one"
    ),
    "cells_endpoint_threads_limit": Name(_GAUGE, (), "Most threads for these calls: [cells] endpoint_threads"),
    "cells_relay_seconds": Name(
        _HISTOGRAM,
        (),
        "Time from the arrival of a message in the queue of a link until the neighbor's broker has it, in seconds; of "
        "the first message of each cast",
    ),
    "cells_call_seconds": Name(
        _HISTOGRAM,
        (),
        "Time that calls waited in this manager for answers of other cells, in seconds, with those that timed out",
    ),
    "cells_cast_messages": Name(
        _HISTOGRAM, (DIRECTION,), "Messages that shared a cast: received (in), and sent to a broker (out)"
    ),
}

#: Metrics of each neighbor.  They end when the neighbor is deleted.
NEIGHBORS: dict[str, Name] = {
    "cells_link_info": Name(
        _GAUGE,
        (NEIGHBOR, DIRECTION, "driver", "spoken", "reads", "cap"),
        "Always 1: the version of the link, the version that the neighbor has announced, and the lower of the caps "
        "that operators set; empty if unknown",
    ),
    "cells_link_state": Name(
        _GAUGE,
        (NEIGHBOR, DIRECTION, "state"),
        "1 for the present state of the link, 0 for each other one: up, silent, mute, unreachable, reconnecting, "
        "unknown",
    ),
    "cells_link_since_timestamp_seconds": Name(
        _GAUGE, (NEIGHBOR,), "Since when the neighbor answers, or does not answer, in seconds since 1970"
    ),
    "cells_link_round_trip_seconds": Name(_GAUGE, (NEIGHBOR,), "Time of the last probe there and back, in seconds"),
    "cells_link_last_answer_timestamp_seconds": Name(
        _GAUGE, (NEIGHBOR,), "Time of the last answer to a probe, in seconds since 1970"
    ),
    "cells_link_unanswered_probes": Name(_GAUGE, (NEIGHBOR,), "Probes since the last answer"),
    "cells_link_queue_messages": Name(
        _GAUGE, (NEIGHBOR,), "Messages that wait for the neighbor, or are being sent to it"
    ),
    "cells_link_queue_bytes": Name(_GAUGE, (NEIGHBOR,), "Bytes of these messages"),
    "cells_link_queue_oldest_seconds": Name(
        _GAUGE, (NEIGHBOR,), "Age of the oldest of these messages, in seconds; 0 without any"
    ),
    "cells_link_connections": Name(_GAUGE, (NEIGHBOR,), "Managers of the neighbor with a direct connection"),
    "cells_link_credit_messages": Name(
        _GAUGE,
        (NEIGHBOR, TYPE),
        "Messages that the neighbor takes at present over its direct connections, by class: control, response, request",
    ),
    "cells_link_credit_bytes": Name(_GAUGE, (NEIGHBOR, TYPE), "Bytes that it takes, as above"),
    "cells_delivered_messages_total": Name(
        _COUNTER, (NEIGHBOR, TYPE), "Messages that the neighbor's broker took, by kind, as in cells neighbor status"
    ),
    "cells_in_flight_messages": Name(
        _GAUGE,
        (NEIGHBOR, TYPE),
        "Messages that are accepted, and neither passed on nor given up, by kind; under the name of this cell those "
        "that run here",
    ),
    "cells_lost_messages_total": Name(
        _COUNTER,
        (NEIGHBOR, RESULT),
        "Messages that were given up, by what their sender knows: lost, may_have_arrived, or told. Present from zero "
        "on, so that the first loss is an increase. Restarts do not reset it",
    ),
    "cells_given_up_messages_total": Name(
        _COUNTER,
        (NEIGHBOR, TYPE, "reason", RESULT),
        "The same by kind and class of the error, from the first one on; under the name of this cell those of its own "
        "services",
    ),
}

TABLE: dict[str, Name] = {**MANAGER, **NEIGHBORS}
