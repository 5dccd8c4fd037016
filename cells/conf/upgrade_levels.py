"""[upgrade_levels]: the version caps of the RPC APIs during an upgrade."""

from oslo_config import cfg

from cells.conf.declaration import option

GROUP = "upgrade_levels"

OPTIONS = [
    option(cfg.StrOpt, "intercell", default="auto")("""
Highest version of the inter-cell API to send to neighbors.

``auto``: the highest version that the neighbor has announced, and 1.0 before
its first announcement. With ``auto`` an upgrade needs no change of this option.
A version (``1.1``) or the name of a release (``cells-0.2``; ``grizzly`` to
``stein`` are Nova's cells service and mean ``1.0``) is a cap. The row of a
neighbor may have another cap; the lowest cap counts. "cells upgrade matrix"
shows the version of each link, and the reason.
"""),
    option(cfg.StrOpt, "cells")("""
Highest version of the manager's own API that its clients send.

If unset, clients send the newest version that this release knows, and ask the
manager first where an older manager would drop a request without an error:
managers of several releases may serve the cell. If set, clients do not ask.
From ``1.2`` on, concurrent casts of a client's threads go to the manager in one
request: set ``1.2`` only if all managers of the cell read it ("cells-0.2" reads
1.1). Below ``1.2`` each cast is one request. Below ``1.3`` a cast does not fail
while the manager knows that the link toward its target is down. Below ``1.4``
the HTTP API does not show the capabilities and capacities of single neighbors,
and below ``1.5`` it does not create, change or delete neighbors.
"""),
]
