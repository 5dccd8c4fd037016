"""[oslo_messaging_zmq]: the brokerless transport ``zmq://``."""

from oslo_config import cfg

from cells.conf.declaration import option

GROUP = "oslo_messaging_zmq"

OPTIONS = [
    option(cfg.StrOpt, "matchmaker", default="sql")("""
Registry of the servers of this cell: sql, redis, localhost or stub.

Name of an entry point in the namespace ``cells.matchmakers``. ``sql`` keeps the
registry in the database of this cell and needs no other service. Only the
transport URL ``zmq:///`` uses the registry; a URL with addresses does not.
"""),
    option(cfg.StrOpt, "matchmaker_connection", secret=True)("""
Location of the registry. Default: ``[database] connection``.

A database URL for ``sql``, ``redis://:password@host:6379/0`` for ``redis``.
"""),
    option(cfg.IntOpt, "matchmaker_heartbeat_freq", default=5, min=1, max=3600)("""
Interval of a server's heartbeats in the registry, in seconds.

At the same interval a client looks for new and removed servers.
"""),
    option(cfg.IntOpt, "matchmaker_heartbeat_ttl", default=15, min=2, max=86400)("""
Seconds after its last heartbeat at which a server counts as dead.

Must be more than matchmaker_heartbeat_freq. Three times that value tolerates a
registry that is slow or down for a moment.
"""),
    option(cfg.StrOpt, "ipc_dir")("""
Directory for the sockets of processes on this machine.

The directory is created with access for this user only; a directory that other
users may enter is refused. Every process of the cell on this machine must use
the same directory. Default: ``sockets`` under ``state_path`` if that option
exists, otherwise ``cells-zmq`` under the user's run-time directory. The path may
have 89 bytes, because the path of a socket may have 107.
"""),
    option(cfg.StrOpt, "bind")("""
Address at which other machines reach the servers of this host.

``10.0.0.5:5570`` or ``[fd00::5]:5570``. Servers register this address, so it
cannot be a wildcard. If unset, only processes on this machine reach them. With
a transport URL that lists addresses, the server uses the address of its host
from the URL and ignores this option.
"""),
    option(
        cfg.StrOpt,
        "tcp_security",
        default="curve",
        choices=[
            ("curve", "encrypted; both sides know each other's public key"),
            ("none", "neither encrypted nor authenticated: every host that reaches the port can send"),
        ],
    )("""
Protection of connections between machines.

``cells key create`` creates the keys of this cell; ``cells key add`` registers
the keys of other cells.
"""),
    option(cfg.StrOpt, "keys_dir", default="/etc/cells/keys")("""
Directory with this cell's own key pair and the public keys of its neighbors.

The file ``own.key_secret`` in it must be readable only by the user that runs the
services.
"""),
    option(cfg.ListOpt, "neighbor_topics")("""
Topics that other cells reach over TCP with a key that ``cells key add`` registered.

Patterns like those of file names. Default: the topics of messages between cells,
``[cells] rpc_driver_queue_base`` and ``.*``. Processes with this cell's own key
reach all topics. ``*`` lets other cells call every server of this cell that
listens on TCP.
"""),
    option(cfg.StrOpt, "peer")("""
Name of the peer's public key, as registered with ``cells key add``.

Set it in the transport URL of a neighbor: ``zmq://10.0.0.6:5570/?peer=east``.
If unset, the peer must have this cell's own key.
"""),
    option(cfg.FloatOpt, "connect_timeout", default=2.0, min=0.1, max=60.0)("""
Timeout for connecting to one server, in seconds.
"""),
    option(cfg.FloatOpt, "delivery_timeout", default=10.0, min=0.1, max=3600.0)("""
Timeout for the delivery of a message to a server, in seconds, including retries.

After the timeout the sender gets a MessageDeliveryFailure that names the
servers that were tried. A higher ``retry`` does not extend the timeout.
"""),
    option(cfg.IntOpt, "receive_queue_size", default=10000, min=1)("""
Maximum number of messages in the receive queue of one server.

If the queue is full, senders try other servers, retry, and then get an error.
"""),
    option(cfg.IntOpt, "receive_queue_bytes", default=128 * 1024 * 1024, min=1024)("""
Maximum size of the receive queue of one server, in bytes.
"""),
    option(cfg.IntOpt, "max_message_bytes", default=64 * 1024 * 1024, min=1024)("""
Maximum size of a message that is sent or accepted, in bytes.

A server disconnects a peer that sends a larger message.
"""),
    option(cfg.IntOpt, "max_connections", default=64, min=1, max=1000)("""
Maximum number of connections of a client to one server.

Each call in flight occupies a connection; further calls wait for a free one.
"""),
    option(cfg.IntOpt, "notification_backlog_size", default=10000, min=1)("""
Maximum number of notifications that a sender keeps while no listener runs.

If the limit is reached, further notifications fail with an error. The kept
notifications are lost if the process ends.
"""),
]
