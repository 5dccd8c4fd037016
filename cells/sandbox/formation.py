"""Wait until the cells of a sandbox know each other, by calls to the manager of the top cell."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import oslo_messaging
from kombu import exceptions as kombu_errors
from oslo_config import cfg

from cells import context, exceptions
from cells.rpcapi import CellsAPI
from cells.sandbox.tree import Tree
from cells.transport import open_transport

#: Short, because an answer can be lost while the cells start.
ANSWER_TIMEOUT_SECONDS = 3.0
PAUSE_SECONDS = 0.1


def wait(conf: cfg.ConfigOpts, tree: Tree, timeout_seconds: float) -> dict[str, Any]:
    """Wait until every cell answers and knows its own path and all cells below it.

    :param conf: configuration of the top cell
    :returns: the tree that the top cell knows, see :meth:`cells.rpcapi.CellsAPI.topology`
    :raises cells.exceptions.SandboxError: the timeout is over
    """
    deadline = time.monotonic() + timeout_seconds
    expected = {str(path): cell.shape() for path, cell in tree.walk()}
    ctxt = context.get_admin_context()
    with open_manager(conf) as manager:
        # Ask at least once: the error names the cells that do not know each other.
        while True:
            try:
                known = _known(manager, ctxt)
                if known == expected:
                    return manager.topology(ctxt, timeout=ANSWER_TIMEOUT_SECONDS)
                missing = [path for path in expected if known.get(path) != expected[path]]
                problem = f"these cells are unknown, or do not know their neighbors: {', '.join(missing)}"
            except (exceptions.CellsError, oslo_messaging.MessagingException, kombu_errors.OperationalError) as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() >= deadline:
                raise exceptions.SandboxError(
                    f"After {timeout_seconds:g} s not all cells know each other: {problem.rstrip('.')}. "
                    "Run 'cells sandbox down', then 'cells sandbox up'."
                )
            time.sleep(PAUSE_SECONDS)


def _known(manager: CellsAPI, ctxt: Any) -> dict[str, Any]:
    """Return the subtree that each answering cell reports, by the path that the cell reports."""
    answers = manager.broadcast_call(ctxt, "ping", timeout=ANSWER_TIMEOUT_SECONDS)
    values = [answer.value for answer in answers if isinstance(answer.value, dict)]
    return {value.get("path", ""): value.get("subtree") for value in values}


@contextlib.contextmanager
def open_manager(conf: cfg.ConfigOpts) -> Iterator[CellsAPI]:
    """Open a client of the manager of the cell for the block."""
    transport = open_transport(conf, exception_modules=["cells.exceptions"])
    try:
        yield CellsAPI(transport, conf.cells.topic, timeout=ANSWER_TIMEOUT_SECONDS)
    finally:
        transport.cleanup()
