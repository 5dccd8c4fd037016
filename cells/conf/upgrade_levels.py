"""[upgrade_levels]: which version of an RPC API to speak while an upgrade is under way."""

from oslo_config import cfg

GROUP = "upgrade_levels"

OPTIONS = [
    cfg.StrOpt(
        "intercell",
        default="auto",
        help="""
Highest version of the inter-cell API to use towards other cells.

``auto``: the highest that the neighbour has announced that it reads, and 1.0
until it has; with it nothing has to be set for an upgrade. A version (``1.1``)
or the name of a release (``cells-0.2``; ``grizzly`` to ``stein`` mean ``1.0``,
what Nova's cells service speaks): no more than that. A neighbour may have a cap
of its own in its row; the lowest of all counts. "cells upgrade matrix" shows
what is spoken with whom, and why.
""",
    ),
    cfg.StrOpt(
        "cells",
        help="""
Highest version of the manager's own API for its clients to use.

A version. Unset: the newest that this release knows. For the time in which
managers and the services of one cell are of different releases.
""",
    ),
]
