"""[cells]: this cell, its links to neighbors, its limits, and the calls that it allows."""

from oslo_config import cfg, types

from cells.conf.declaration import option

GROUP = "cells"
#: Characters that every broker accepts in the name of a queue.
TOPIC = r"^[A-Za-z0-9_.-]+$"

#: names of the patches in :mod:`cells.transport.patches`
PATCHES = (
    "ack_interval",
    "direct_replies",
    "driver_log",
    "envelope_log",
    "json_serializer",
    "message_ids",
    "neighbor_publish",
    "prefetch",
    "raw_failures",
    "reachability",
    "read_ahead",
    "redeclare",
    "request_context",
    "stream_offset",
    "unread_messages",
)

OPTIONS = [
    option(cfg.StrOpt, "name")("""
Name of this cell. Required.

Children and parents of this cell register it under exactly this name. The name
must be unique among the children of one parent, and must not contain ``!``
(the separator of a path), blanks or control characters.
"""),
    option(cfg.StrOpt, "topic", default="cells", regex=TOPIC)("""
Topic on which the manager serves the services of its own cell.

Every service of this cell that calls the manager must use the same value.
"""),
    option(cfg.StrOpt, "exchange")("""
Exchange of the topic on which the manager serves the services of its own cell.

Default: [DEFAULT] control_exchange. Set this option if the services of this
cell have another control_exchange than their manager.
"""),
    option(cfg.StrOpt, "rpc_driver_queue_base", default="cells.intercell", regex=TOPIC)("""
Base of the topics on which neighboring cells send to this cell.

The topics are this base with ``.targeted``, ``.broadcast`` and ``.response``
appended. All cells of a tree must use the same value.
"""),
    option(cfg.StrOpt, "driver", default="rpc")("""
Driver that receives the messages of neighboring cells.

Name of an entry point in the namespace ``cells.drivers``. The row of each
neighbor names the driver that sends to that neighbor.
"""),
    option(cfg.StrOpt, "mailbox_url", secret=True)("""
Transport URL of the broker or virtual host on which neighbors send to this cell.

Recommended if neighbors are not trusted with the bus of this cell: with a
mailbox, the login of a neighbor is no login to [DEFAULT] transport_url. The rows
for this cell in other cells have the URL of the mailbox, with the login of that
neighbor. This cell then receives there only, and answers to calls of its
services come through its manager, which costs one more message.

Default: neighbors send to [DEFAULT] transport_url. Options of
[oslo_messaging_rabbit] that differ are written into the query of the URL, as
``?ssl=true``.
"""),
    option(cfg.BoolOpt, "mailbox_migration", default=False)("""
Receive on [DEFAULT] transport_url too, beside mailbox_url.

Set it while rows of other cells still have the old URL, and remove it when all
have the URL of the mailbox.
"""),
    option(cfg.StrOpt, "management_url", secret=True)("""
URL of the management API of the RabbitMQ that [DEFAULT] transport_url names.

Only ``cells doctor`` reads it, to see the types of queues, orphan queues of
managers that are gone, and dead letters. Example:
``http://monitor:password@127.0.0.1:15672``. The plugin rabbitmq_management
serves this API; the user needs the tag ``monitoring`` and access to the virtual
host. Without a login in the URL, that of transport_url is used. For https, the
certificate is checked with [oslo_messaging_rabbit] ssl_ca_file, or with the
authorities of the system.

By default, these checks see as much as AMQP shows.
"""),
    option(cfg.IntOpt, "call_timeout", default=60, min=1, max=86400)("""
Default timeout of a call to another cell, in seconds.

It applies to callers that set no timeout. A cell that relays a broadcast also
waits this long for the answers of the cells behind it. Each deeper cell waits
a little less, so that a child answers before its parent gives up.
"""),
    option(cfg.IntOpt, "max_hop_count", default=10, min=2, max=1000)("""
Maximum number of cells that a message may visit.

A targeted message that needs more hops fails with MaxHopCountReached; a
broadcast stops there. This limit ends loops of neighbors that are registered
in a circle, so raise it only if the tree is deeper than the limit.
"""),
    option(cfg.IntOpt, "db_check_interval", default=60, min=1)("""
Interval at which the manager reads the neighbors again, in seconds.

SIGHUP makes the manager read them at once.
"""),
    option(cfg.IntOpt, "announce_interval", default=60, min=1)("""
Interval at which capabilities and capacities are sent to the parents, in seconds.

At the same interval all managers of each neighbor are asked for their version.
Set it to at most a third of the parents' mute_child_interval.
"""),
    option(cfg.IntOpt, "probe_interval", default=10, min=1)("""
Interval at which each neighbor is pinged, in seconds.

A neighbor that does not answer within 5 seconds is ``silent`` in "cells neighbor
status". At most 4 neighbors are pinged in a second, so with more than four
times this number of neighbors the interval is longer. A neighbor whose version
cap is a release of Nova is not pinged.
"""),
    option(cfg.IntOpt, "mute_child_interval", default=300, min=1)("""
Seconds without a message from a child after which the child is mute.

This cell announces the capabilities and capacities of its branch to its
parents without those of a mute child.
"""),
    option(cfg.ListOpt, "capabilities", default=[])("""
Capabilities of this cell: a list of ``name=value`` or ``name=value1;value2``.

Parents receive the union of the capabilities of this cell and of all cells
below it. Example: ``hypervisor=xenserver;kvm,os=linux;windows``.
"""),
    option(cfg.StrOpt, "cells_config")("""
File in JSON or YAML that holds the neighbors, in place of the database.

The file holds an object. Each key is the name of a neighbor; each value is an
object with the columns of its row:
``{"az1": {"transport_url": "rabbit://...", "is_parent": false}}``.
``cells neighbor export --show-secrets`` writes such a file.
The manager reads the file again every db_check_interval seconds.
"""),
    option(cfg.IntOpt, "send_timeout", default=10, min=1, max=600)("""
Timeout for sending one message to a neighbor's broker, in seconds.

If a broker takes longer, it counts as down and the call fails with
NeighborUnreachable. Messages to other neighbors are not delayed.
"""),
    option(cfg.IntOpt, "send_queue_size", default=10000, min=1)("""
Maximum number of messages in the send queue of one neighbor.

If the queue is full, calls fail at once with NeighborBusy.
"""),
    option(cfg.IntOpt, "send_queue_bytes", default=256 * 1024 * 1024, min=1024)("""
Maximum size of the send queue of one neighbor, in bytes.

If the queue is full, calls fail at once with NeighborBusy. It bounds the memory
for few but large messages, as ``send_queue_size`` does for many small ones.
"""),
    option(cfg.IntOpt, "max_open_links", default=64, min=1)("""
Maximum number of neighbors with an open connection.

If a further connection is needed, the manager closes the connection that has
been idle for the longest time, and opens it again for its next message.
"""),
    option(cfg.IntOpt, "max_message_bytes", default=4 * 1024 * 1024, min=1024)("""
Maximum size of a message that this cell sends or accepts, in bytes of JSON.
"""),
    option(cfg.IntOpt, "endpoint_threads", default=64, min=1, max=10000)("""
Maximum number of endpoint methods that run at the same time in this manager.

Further calls wait for a free thread. Relayed messages and answers use no such
thread. The calls of one neighbor use at most three quarters of the threads.
"""),
    option(cfg.ListOpt, "allowed_services", default=[], mutable=True)("""
Services of this cell that services of other cells may call.

A list of ``TOPIC``, ``TOPIC:METHOD`` or ``EXCHANGE/TOPIC:METHOD``, with the
wildcards ``*`` and ``?``. The default EXCHANGE is [DEFAULT] control_exchange.
The method of an endpoint with a namespace is ``NAMESPACE.METHOD``; only ``*``
alone, or no METHOD, allows methods of all namespaces. Example:
``inventory,compute:get_*,nova/scheduler:admin.reset``.

By default other cells can call no service. A caller in another cell controls
the request context (user, roles, is_admin): allow only methods that every cell
of the tree may run. Messages for the server ``b`` of a topic ``a`` have the
address of a topic ``a.b``: if you allow a topic, you allow ``TOPIC.*`` too.
"""),
    option(cfg.IntOpt, "service_threads", default=256, min=1, max=10000)("""
Maximum number of calls of other cells in flight to one service of this cell.

Further calls to that topic wait for a free thread until their deadline. Casts,
relayed messages and answers use no such thread. The calls of one neighbor use
at most three quarters of the threads.
"""),
    option(cfg.IntOpt, "max_pending_calls", default=10000, min=1)("""
Maximum number of calls in this manager that wait for an answer or a free thread.

If the limit is reached, further calls fail at once with ManagerBusy.
"""),
    option(cfg.IntOpt, "max_waiting_casts", default=20000, min=1)("""
Maximum number of casts whose callers wait until the next cell has them.

A cast waits while the link to its next cell is reconnecting or slow. If the
limit is reached, further casts whose callers wait fail at once with ManagerBusy;
calls do not count. Set it higher than send_queue_size, so that the casts for one
neighbor leave room for those to others.
"""),
    option(cfg.IntOpt, "max_foreign_calls", default=10000, min=1)("""
Maximum number of messages of one neighbor that run, or wait for a thread.

The same number of its broadcasts may wait for the answers of other cells. Each
neighbor has this budget for itself, apart from max_pending_calls, which is for
the services of this cell. If it is spent, further calls of that neighbor fail
at once with ManagerBusy.
"""),
    option(cfg.IntOpt, "max_foreign_bytes", default=256 * 1024 * 1024, min=1024)("""
Maximum size of the messages that max_foreign_calls counts, in bytes.
"""),
    option(cfg.FloatOpt, "max_foreign_seconds", default=3600.0, min=1.0)("""
Longest time that this cell works on one message of a neighbor, in seconds.

A call with a longer timeout ends here after this time, and so does a broadcast
if this cell gathers its answers. Calls that are only forwarded have no limit.
The row of a neighbor can have another limit (max_foreign_seconds).
"""),
    option(cfg.ListOpt, "allowed_rpc_exception_modules", default=["cells.exceptions"])("""
Modules whose exceptions keep their class on the way from another cell.

An exception of any other module reaches the caller as a RemoteError. If you
add a module, other cells can make this cell import that module and call the
constructors of its exceptions.
"""),
    option(cfg.BoolOpt, "send_tracebacks", default=False)("""
Send tracebacks of errors of this cell to other cells.

A traceback has paths and source lines of this cell. By default it stays here:
an unexpected error of an endpoint or a service reaches the other cell with its
class, its text and a log id, and the log of this manager has the traceback
under that id.
"""),
    option(cfg.ListOpt, "disabled_patches", default=[], item_type=types.String(choices=PATCHES))("""
Patches of oslo.messaging, kombu and amqp that this process does not apply.

A patch depends on a private part of a library. cells-manager logs at its start
which patches it applies, and which are not applicable to the installed release.
Disable a patch if a new release of the library behaves wrongly with it. Names:

* ``ack_interval``: idle listeners wake up four times a second
* ``direct_replies``: replies of calls go directly to clients on RabbitMQ
* ``driver_log``: duplicates, full connection pools and connections that fail do
  not flood the log
* ``envelope_log``: an unreadable envelope is one counted line in the log
* ``json_serializer``: a faster JSON serializer for RabbitMQ
* ``message_ids``: a message that RabbitMQ delivers again runs once, with any
  rabbit_qos_prefetch_count
* ``neighbor_publish``: links declare nothing on the brokers of neighbors
* ``prefetch``: the default of rabbit_qos_prefetch_count is 8
* ``raw_failures``: exceptions of services reach other cells unchanged
* ``reachability``: requests end in time if the own broker does not answer
* ``read_ahead``: connections to RabbitMQ read all that has arrived at once
* ``redeclare``: consumers notice that an exchange or binding was deleted
* ``request_context``: listeners do not copy the context of each request
* ``stream_offset``: with rabbit_stream_fanout, a server reads no messages from
  before its start
* ``unread_messages``: a stopping manager returns unread messages to RabbitMQ.
"""),
]
