"""A tree of cells in one process, for the tests of services that call other cells.

:doc:`/user/testing` shows how to use it::

    with CellTree({"api": {"east": {"az1": {}}}}) as tree:
        tree["az1"].serve("inventory", InventoryEndpoint())
        client = tree["api"].client("inventory")

Import this package before ``oslo_messaging``: otherwise oslo.service starts on eventlet, and a tree needs threads.
"""

from oslo_service import backend

backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)

from cells.testing.cell import TreeCell  # noqa: E402  # its imports ask oslo.service for its back end
from cells.testing.link import Link  # noqa: E402
from cells.testing.tree import CellTree  # noqa: E402

__all__ = ["CellTree", "Link", "TreeCell"]
