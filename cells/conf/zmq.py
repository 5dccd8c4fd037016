"""[oslo_messaging_zmq]: the transport ``zmq://``, which needs no broker."""

from oslo_config import cfg

GROUP = "oslo_messaging_zmq"

OPTIONS = [
    cfg.StrOpt(
        "matchmaker",
        default="sql",
        help="""
Registry in which the servers of this cell are found: sql, redis, localhost or stub.

Name of an entry point in the namespace ``cells.matchmakers``. ``sql`` keeps it
in the database of this cell and needs nothing else. Only the transport URL
``zmq:///`` uses a registry: one that names addresses needs none.
""",
    ),
    cfg.StrOpt(
        "matchmaker_connection",
        secret=True,
        help="""
Where the registry is kept, if not in ``[database] connection``.

A database URL for ``sql``, ``redis://:password@host:6379/0`` for ``redis``.
""",
    ),
    cfg.IntOpt(
        "matchmaker_heartbeat_freq",
        default=5,
        min=1,
        max=3600,
        help="""
Seconds between two heartbeats of a server in the registry.

At the same interval a client looks for servers that have come or gone.
""",
    ),
    cfg.IntOpt(
        "matchmaker_heartbeat_ttl",
        default=15,
        min=2,
        max=86400,
        help="""
Seconds after its last heartbeat at which a server counts as dead.

Must be more than matchmaker_heartbeat_freq; three times as much leaves room for
a registry that is slow or away for a moment.
""",
    ),
    cfg.StrOpt(
        "ipc_dir",
        help="""
Directory for the sockets of processes on this machine.

It is created for this user alone, and one that others may enter is refused.
Every process of the cell on this machine must use the same one. Default: the directory
``sockets`` under ``state_path`` where there is such an option, otherwise
``cells-zmq`` under the user's run-time directory. Its path may have 89 bytes, because
that of a socket may have 107.
""",
    ),
    cfg.StrOpt(
        "bind",
        help="""
Address at which servers of this host can be reached from other machines.

``10.0.0.5:5570`` or ``[fd00::5]:5570``; what servers register, so not a
wildcard. Without it they are reached on this machine alone. A transport URL that names
addresses needs no such option: its server takes the one that is its own.
""",
    ),
    cfg.StrOpt(
        "tcp_security",
        default="curve",
        choices=[
            ("curve", "encrypted; both sides know each other's public key"),
            ("none", "neither encrypted nor authenticated: whoever reaches the port may send"),
        ],
        help="""
Protection of connections between machines.

``cells key create`` and ``cells key add`` make and register the keys.
""",
    ),
    cfg.StrOpt(
        "keys_dir",
        default="/etc/cells/keys",
        help="""
Directory with this cell's own key pair and the public keys of its neighbors.

Only the user that runs the services may be able to read the file ``own.key_secret`` in it.
""",
    ),
    cfg.StrOpt(
        "peer",
        help="""
Name under which the public key of the other side was registered with ``cells key add``.

Given in the transport URL of a neighbor: ``zmq://10.0.0.6:5570/?peer=east``.
Without it the other side is expected to have this cell's own key.
""",
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=2.0,
        min=0.1,
        max=60.0,
        help="""
Seconds that connecting to one server may take.
""",
    ),
    cfg.FloatOpt(
        "delivery_timeout",
        default=10.0,
        min=0.1,
        max=3600.0,
        help="""
Seconds within which a server must have taken a message, whatever ``retry`` allows.

After it the sender gets a MessageDeliveryFailure that says who was tried.
""",
    ),
    cfg.IntOpt(
        "receive_queue_size",
        default=10000,
        min=1,
        help="""
Number of messages that may wait in one server.

When it is reached, senders try other servers, then again, and then get an error.
""",
    ),
    cfg.IntOpt(
        "receive_queue_bytes",
        default=128 * 1024 * 1024,
        min=1024,
        help="""
Bytes of the messages that may wait in one server.
""",
    ),
    cfg.IntOpt(
        "max_message_bytes",
        default=64 * 1024 * 1024,
        min=1024,
        help="""
Length of the longest message that is sent or accepted, in bytes.

A peer that sends a longer one is disconnected.
""",
    ),
    cfg.IntOpt(
        "max_connections",
        default=64,
        min=1,
        max=1000,
        help="""
Number of connections that a client holds to one server.

Each call that waits for its answer occupies one; further calls wait for a free one.
""",
    ),
    cfg.IntOpt(
        "notification_backlog_size",
        default=10000,
        min=1,
        help="""
Number of notifications that a sender keeps while nobody listens for them.

When it is reached, further ones get an error. What is kept is lost with the process.
""",
    ),
]
