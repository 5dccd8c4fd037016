"""Script: calls the endpoints of the example package in a tree of cells.

Prints one JSON object.  :mod:`tests.project.test_example_package` starts it;
a manager loads endpoints at start, so the test cannot do this within pytest.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cells.cmd  # noqa: F401  # selects threads before the import of oslo.messaging
from cells import exceptions
from cells.context import RequestContext
from tests.functional.cell_tree import CellTree, TreeCell


def call(cell: TreeCell, target: str, method: str, **arguments: Any) -> dict[str, Any]:
    try:
        context = RequestContext(user_id="ada").to_dict()
        return {"value": cell.call(target, method, kwargs=arguments, ctxt=context)}
    except exceptions.CellsError as error:
        return {"error": type(error).__name__, "message": str(error)}


def main() -> None:
    with CellTree({"api": {"east": {"az1": {}}}}) as tree:
        api, az1 = tree["api"], tree["az1"]
        answers: dict[str, Any] = {
            "usage": call(api, "api!east!az1", "disk_usage", path="/"),
            "percent": call(az1, "api", "disk_usage_percent"),
            "function_name": call(api, "az1", "percent"),
            "no_such_path": call(api, "az1", "disk_usage", path="/no/such/path"),
            "wrong_argument": call(api, "az1", "disk_usage", colour="red"),
            "everywhere": {path: answer.value for path, answer in api.broadcast("disk_usage_percent").items()},
        }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
