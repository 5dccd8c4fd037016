"""[upgrade_levels]: which version of an RPC API to speak while an upgrade is under way."""

from oslo_config import cfg

GROUP = "upgrade_levels"

OPTIONS = [
    cfg.StrOpt(
        "intercell",
        default="auto",
        help="""
Highest version of the inter-cell API to use towards other cells.

``auto``: the highest that the neighbor has announced that it reads, and 1.0
until it has; with it nothing has to be set for an upgrade. A version (``1.1``)
or the name of a release (``cells-0.2``; ``grizzly`` to ``stein`` mean ``1.0``,
what Nova's cells service speaks): no more than that. A neighbor may have a cap
of its own in its row; the lowest of all counts. "cells upgrade matrix" shows
what is spoken with whom, and why.
""",
    ),
    cfg.StrOpt(
        "cells",
        help="""
Highest version of the manager's own API for its clients to use.

A version. Unset: the newest that this release knows, and where a manager might
read less without anybody hearing of it, it is asked: managers of several
releases may serve the cell. A version is taken at its word: with ``1.2`` casts
that many threads of a client make at the same time go to the manager in one
request without asking, so set it only where all managers of the cell read it
("cells-0.2" reads 1.1). With less than ``1.2`` each cast goes alone.
""",
    ),
]
