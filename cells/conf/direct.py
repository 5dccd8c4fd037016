"""[cells_direct]: links between managers of neighboring cells, without a broker between them."""

from oslo_config import cfg

from cells.conf.declaration import option

GROUP = "cells_direct"

OPTIONS = [
    option(cfg.ListOpt, "listen", default=[])("""
Addresses at which this manager listens for managers of neighbors.

A list of ``HOST:PORT``, with HOST in brackets if it is an IPv6 address:
``10.0.0.5:5680,[fd00::5]:5680``. By default this manager does not listen:
it opens all connections itself, and neighbors cannot connect to it.
"""),
    option(cfg.StrOpt, "certificate", default="$state_path/cell.crt")("""
File with the certificate of this cell, in PEM.

``cells cert create`` creates it together with the key. All managers of a
cell use the same certificate and key.
"""),
    option(cfg.StrOpt, "key", default="$state_path/cell.key")("""
File with the private key of the certificate, in PEM and not encrypted.

Only the user that runs cells-manager may have access to the file:
permissions 0600.
"""),
    option(cfg.ListOpt, "ca", default=[])("""
Files with certificates of the authorities that sign certificates of
neighbors.

By default a neighbor is known only by the certificates that ``cells
neighbor set --certificate`` registered. An authority of this list can speak
for every neighbor whose row names a path instead of certificates.
"""),
    option(cfg.FloatOpt, "reconnect_wait", default=30.0, min=0.0, max=3600.0)("""
Time that messages wait for a neighbor to connect again, in seconds.

The time starts when the last connection to the neighbor ends, or when this
manager starts. After that time the neighbor is down: waiting messages fail,
and further messages fail at once. If a connection is being made when the
time ends, messages wait for it, at most 3 seconds longer. Set it to more than
a restart of a manager takes, and to 10 seconds more than the longest break of
the network that casts are to outlast: within 6 seconds a break that is over
is noticed and the neighbor is connected.
"""),
    option(cfg.FloatOpt, "heartbeat", default=2.0, min=0.1, max=60.0)("""
Interval of heartbeats on each connection, in seconds.

A neighbor that receives nothing for three intervals closes the connection.
"""),
    option(cfg.IntOpt, "max_handshakes", default=128, min=1, max=10000)("""
Maximum number of accepted connections whose peer is not known yet.

If the limit is reached, the connection that has been silent for the longest
time is closed when another one arrives. The limit does not apply to
connections with neighbors.
"""),
]
