"""Three cells in a chain, as real managers, a service in the second one, and clients in the topmost."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import oslo_messaging

from bench.plain import serving
from bench.plain_server import TOPIC
from cells import rpc
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from tools.manager_process import ManagerProcess
from tools.polling import poll
from tools.transports import connect

NAMES = ("api", "child", "grandchild")
OPTIONS = {"cells": {"allowed_services": TOPIC}}


class Chain:
    """``api`` above ``child`` above ``grandchild``, while the ``with`` block runs."""

    def __init__(self, directory: Path, urls: Sequence[str]) -> None:
        self.managers = [
            ManagerProcess(directory, name, url, options=OPTIONS) for name, url in zip(NAMES, urls, strict=True)
        ]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Chain:
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def _start(self, stack: contextlib.ExitStack) -> None:
        with ThreadPoolExecutor(len(self.managers)) as pool:
            list(pool.map(ManagerProcess.sync_database, self.managers))
        for parent, child in zip(self.managers, self.managers[1:], strict=False):
            parent.link_child(child)
        for manager in self.managers:
            manager.start()
        for manager in self.managers:
            manager.wait_ready()
        transport = connect(self.managers[0].transport_url)
        stack.callback(transport.cleanup)
        self._api = CellsAPI(transport, timeout=30)
        stack.enter_context(serving(self.managers[1].transport_url))
        client = rpc.get_rpc_client(transport, oslo_messaging.Target(topic=TOPIC, version="1.0"), timeout=30)
        self._service = client.prepare(cell="api!child")
        self._context = get_admin_context()
        poll(self._is_formed, "the three cells know each other", timeout_seconds=90, pause_seconds=0.5)

    def _is_formed(self) -> bool:
        return len(self._api.broadcast_call(self._context, "ping")) == len(NAMES)

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _stop(self) -> None:
        for manager in self.managers:
            manager.begin_stop()
        for manager in self.managers:
            manager.stop()

    def one_hop(self) -> None:
        """Call a method of the child."""
        self._api.call(self._context, "child", "ping")

    def service(self) -> None:
        """Call a method of a service of the child."""
        self._service.call({}, "ping")

    def resting_service(self, seconds: float) -> None:
        """Call a method of a service of the child that takes so long."""
        self._service.call({}, "rest", seconds=seconds)

    def two_hops(self) -> None:
        """Call a method of the grandchild."""
        self._api.call(self._context, "api!child!grandchild", "ping")

    def broadcast(self) -> None:
        """Call a method of all three cells and wait for all answers."""
        answers = self._api.broadcast_call(self._context, "ping")
        errors = [answer.error for answer in answers if answer.error is not None]
        if errors or len(answers) != len(NAMES):
            raise RuntimeError(f"A broadcast came back with {len(answers)} answers and {errors}.")
