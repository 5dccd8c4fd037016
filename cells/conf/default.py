"""[DEFAULT]: the name of this host and the directory of its files."""

import socket

from oslo_config import cfg

from cells.conf.declaration import option

#: None is how oslo.config spells [DEFAULT].
GROUP = None

OPTIONS = [
    option(cfg.StrOpt, "host", default=socket.gethostname(), sample_default="<the host's name>")("""
Name of this manager among the managers of its cell.

It is the server name in the queues of this manager. Each manager of a cell
needs a name of its own, and keeps that name when it restarts: do not use a
random name.
"""),
    option(cfg.StrOpt, "state_path", default="/var/lib/cells")("""
Directory for the files of this service.

The counts of lost messages are in this directory, and so are the defaults of
``[database] connection``, of ``[cells_direct] certificate`` and ``key``, and
of ``[oslo_messaging_zmq] ipc_dir``. The user that runs cells-manager must
have write access.
"""),
]
