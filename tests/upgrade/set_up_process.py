"""Script: creates the databases of a tree and registers the neighbors, with the release of its environment.

It does the work of ``cells db sync`` and ``cells neighbor create`` for all cells in one process:
the old release must create the tables.  It imports only modules of both releases.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database

try:
    from cells.neighbors.neighbor import Neighbor
except ImportError:  # the place of the older release
    from cells.db.rows import NeighborRow as Neighbor  # type: ignore[import-not-found,no-redef]


def set_up(cell: dict[str, Any]) -> None:
    """Create the database of one cell.

    :param cell: config_file, parents and children, the last two name -> transport URL
    """
    conf = cells_conf.load([cell["config_file"]])
    migration.sync(conf)
    database = Database(conf)
    for kind in ("parents", "children"):
        for name, url in cell[kind].items():
            database.create(Neighbor(name, url, is_parent=kind == "parents"))
    database.close()


if __name__ == "__main__":
    for each in json.loads(sys.argv[1]):
        set_up(each)
