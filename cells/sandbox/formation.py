"""Waits until the cells of a sandbox know each other, by asking the manager of the top cell."""

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

#: An answer that was lost while the cells started is not worth waiting for.
ANSWER_TIMEOUT_SECONDS = 3.0
_PAUSE_SECONDS = 0.1


def wait(conf: cfg.ConfigOpts, tree: Tree, timeout_seconds: float) -> dict[str, Any]:
    """Wait until every cell answers and knows its own path and all cells below it.

    :param conf: of the top cell
    :returns: the tree as the top sees it, see :meth:`cells.rpcapi.CellsAPI.topology`
    :raises cells.exceptions.SandboxError: the cells do not find together in time
    """
    deadline = time.monotonic() + timeout_seconds
    expected = {str(path): cell.shape() for path, cell in tree.walk()}
    ctxt = context.get_admin_context()
    problem = ""
    with _manager(conf) as manager:
        while time.monotonic() < deadline:
            try:
                known = _known(manager, ctxt)
                if known == expected:
                    return manager.topology(ctxt, timeout=ANSWER_TIMEOUT_SECONDS)
                missing = [path for path in expected if known.get(path) != expected[path]]
                problem = f"these cells are not known, or do not know their neighbors: {', '.join(missing)}"
            except (exceptions.CellsError, oslo_messaging.MessagingException, kombu_errors.OperationalError) as error:
                problem = f"{type(error).__name__}: {error}"
            time.sleep(_PAUSE_SECONDS)
    raise exceptions.SandboxError(
        f"The cells did not find together within {timeout_seconds:g} s: {problem.rstrip('.')}. "
        "Begin anew with 'cells sandbox down' and 'up'."
    )


def _known(manager: CellsAPI, ctxt: Any) -> dict[str, Any]:
    """What each cell that answers says to be below it, by what it says to be its own path."""
    answers = manager.broadcast_call(ctxt, "ping", timeout=ANSWER_TIMEOUT_SECONDS)
    described = [answer.value for answer in answers if isinstance(answer.value, dict)]
    return {value.get("path", ""): value.get("subtree") for value in described}


@contextlib.contextmanager
def _manager(conf: cfg.ConfigOpts) -> Iterator[CellsAPI]:
    transport = open_transport(conf, exception_modules=["cells.exceptions"])
    try:
        yield CellsAPI(transport, conf.cells.topic, timeout=ANSWER_TIMEOUT_SECONDS)
    finally:
        transport.cleanup()
