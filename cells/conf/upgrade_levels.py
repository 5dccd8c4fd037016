"""[upgrade_levels]: which version of an RPC API to speak while an upgrade is under way."""

from oslo_config import cfg

GROUP = "upgrade_levels"

OPTIONS = [
    cfg.StrOpt(
        "intercell",
        help="""
Highest version of the inter-cell API to use towards other cells.

A version (``1.0``) or the name of a release (``grizzly`` to ``stein`` mean
``1.0``, what Nova's cells service speaks). Unset: the newest that this release
knows. Set it to the oldest release that is still running in a neighbouring
cell before you upgrade this one.
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
