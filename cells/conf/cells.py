"""[cells]: this cell, how it reaches its neighbors, and what it allows."""

from oslo_config import cfg

GROUP = "cells"
#: What the name of a queue may look like on every broker.
TOPIC = r"^[A-Za-z0-9_.-]+$"

OPTIONS = [
    cfg.StrOpt(
        "name",
        help="""
Name of this cell. Required.

Children and parents of this cell register it under this very name. It must be
unique among the children of one parent, and must not hold ``!`` (which
separates the cells of a path), blanks or control characters.
""",
    ),
    cfg.StrOpt(
        "topic",
        default="cells",
        regex=TOPIC,
        help="""
Topic on which the manager serves the services of its own cell.

All services of this cell that call the manager must use the same value.
""",
    ),
    cfg.StrOpt(
        "exchange",
        help="""
Exchange of the topic on which the manager serves the services of its own cell.

By default [DEFAULT] control_exchange. Set it where services have a
control_exchange other than that of their manager.
""",
    ),
    cfg.StrOpt(
        "rpc_driver_queue_base",
        default="cells.intercell",
        regex=TOPIC,
        help="""
Base of the topics on which neighboring cells send to this cell.

``.targeted``, ``.broadcast`` and ``.response`` are appended to it. All cells of
a tree must use the same value.
""",
    ),
    cfg.StrOpt(
        "driver",
        default="rpc",
        help="""
Driver that receives what neighboring cells send to this cell.

Name of an entry point in the namespace ``cells.drivers``. The driver that sends
to a neighbor is the one named in that neighbor's row.
""",
    ),
    cfg.IntOpt(
        "call_timeout",
        default=60,
        min=1,
        max=86400,
        help="""
Seconds that a call to another cell waits for its answer.

The default for callers that name no timeout of their own, and the time that
this cell, when it relays a broadcast, gives the cells behind it (less the
deeper it is in the tree, so that a child answers before its parent gives up).
""",
    ),
    cfg.IntOpt(
        "max_hop_count",
        default=10,
        min=2,
        max=1000,
        help="""
Number of cells that a message may visit.

A targeted message that needs more fails with an error; a broadcast goes no
further. Raise it only if the tree is really that deep: it ends the loops of
neighbors that are registered in a circle.
""",
    ),
    cfg.IntOpt(
        "db_check_interval",
        default=60,
        min=1,
        help="""
Seconds between two looks into the database for changed neighbors.

SIGHUP makes the manager look at once.
""",
    ),
    cfg.IntOpt(
        "announce_interval",
        default=60,
        min=1,
        help="""
Seconds between two announcements of capabilities and capacities to the parents.

At the same interval parents and living children are asked for their path and
their children. Keep it well below the parents' mute_child_interval.
""",
    ),
    cfg.IntOpt(
        "mute_child_interval",
        default=300,
        min=1,
        help="""
Seconds after which a child that was not heard from counts as mute.

What a mute child announced is left out of what this cell tells its parents.
""",
    ),
    cfg.ListOpt(
        "capabilities",
        default=[],
        help="""
What this cell can do, as a list of ``name=value`` or ``name=value1;value2``.

Parents learn the union of this cell's capabilities and those of all cells
below it. Example: ``hypervisor=xenserver;kvm,os=linux;windows``.
""",
    ),
    cfg.StrOpt(
        "cells_config",
        help="""
JSON file to read the neighbors from instead of the database.

An object that maps the name of each neighbor to an object with the columns of
its row: ``{"az1": {"transport_url": "rabbit://...", "is_parent": false}}``.
It is read again every db_check_interval seconds.
""",
    ),
    cfg.IntOpt(
        "send_timeout",
        default=10,
        min=1,
        max=600,
        help="""
Seconds that sending one message to a neighbor's broker may take.

A broker that takes longer counts as down: callers get an error, others wait
for nothing.
""",
    ),
    cfg.IntOpt(
        "send_queue_size",
        default=10000,
        min=1,
        help="""
Number of messages that may wait to be sent to one neighbor.

When it is reached, callers get an error at once instead of waiting.
""",
    ),
    cfg.IntOpt(
        "send_queue_bytes",
        default=256 * 1024 * 1024,
        min=1024,
        help="""
Bytes of messages that may wait to be sent to one neighbor.

As ``send_queue_size``, for few messages that are large.
""",
    ),
    cfg.IntOpt(
        "max_open_links",
        default=64,
        min=1,
        help="""
Number of neighbors to which connections are kept open at a time.

When it is reached, the connection that was idle for the longest time is
closed; it is opened again when it is needed.
""",
    ),
    cfg.IntOpt(
        "max_message_bytes",
        default=4 * 1024 * 1024,
        min=1024,
        help="""
Length of the longest message that this cell sends or accepts, in bytes of JSON.
""",
    ),
    cfg.IntOpt(
        "endpoint_threads",
        default=64,
        min=1,
        max=10000,
        help="""
Number of endpoints that may run at the same time in this manager.

Further calls wait for a free thread. Relayed messages and answers need none.
""",
    ),
    cfg.ListOpt(
        "allowed_services",
        default=[],
        help="""
Services of this cell that services of other cells may call.

A list of ``TOPIC``, ``TOPIC:METHOD`` or ``EXCHANGE/TOPIC:METHOD``, with the
wildcards ``*`` and ``?``. Without EXCHANGE it is [DEFAULT] control_exchange. The
method of an endpoint with a namespace is ``NAMESPACE.METHOD``; only ``*`` alone,
or no METHOD, allows methods of all namespaces. By default none can be called: other cells act with what
rights the context that they send claims. What is for the server ``b`` of a
topic ``a`` has the address of a topic ``a.b``: allow a topic only if whatever
is below it may be reached as well. Example:
``inventory,compute:get_*,nova/scheduler:admin.reset``.
""",
    ),
    cfg.IntOpt(
        "service_threads",
        default=256,
        min=1,
        max=10000,
        help="""
Number of calls of other cells that each service of this cell can work on at a time.

Further calls of that topic wait for a free thread, until their time is over.
Casts, relayed messages and answers need none of them.
""",
    ),
    cfg.IntOpt(
        "max_pending_calls",
        default=10000,
        min=1,
        help="""
Number of calls that may wait in this manager, for an answer or for a free thread.

When it is reached, further callers get an error at once.
""",
    ),
    cfg.ListOpt(
        "allowed_rpc_exception_modules",
        default=["cells.exceptions"],
        help="""
Modules whose exception classes are rebuilt when another cell raised them.

An exception of any other module reaches the caller as a RemoteError. Naming a
module here lets other cells make this cell import it and call the
constructors of its exceptions.
""",
    ),
]
