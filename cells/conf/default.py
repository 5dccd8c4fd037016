"""[DEFAULT]: what this host is called and where it keeps its files."""

import socket

from oslo_config import cfg

#: None is how oslo.config spells [DEFAULT].
GROUP = None

OPTIONS = [
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<the host's name>",
        help="""
Name of this manager among the managers of its cell.

It is the server name of the message queues of this manager. Several managers
of one cell need different names; a manager that is started again needs the
same one, so do not make it random.
""",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/cells",
        help="""
Directory for files that this service keeps.

Only the default of ``[database] connection`` uses it. The user that runs
cells-manager must be able to write to it.
""",
    ),
]
