"""Makes the databases of a tree and registers the neighbors, by the code of the environment that runs it.

What ``cells db sync`` and ``cells neighbor create`` do, for all cells in one process:
the tables have to be those of the old release.  It imports nothing but what both have.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from cells import conf as cells_conf
from cells.db import migration
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor


def set_up(cell: dict[str, Any]) -> None:
    """Make one cell's database.

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
