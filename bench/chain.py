"""A chain of cells with real managers, a service in the second cell, and clients in the topmost cell."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import oslo_messaging

from bench import endpoints
from bench.answers import check_answers
from bench.plain import serving
from bench.plain_server import TOPIC
from cells import rpc
from cells.context import get_admin_context
from cells.path import CellPath
from cells.rpcapi import CellsAPI
from tools import endpoint_package
from tools.broker_profiles import Profile, with_options
from tools.direct_links import DirectLinks, Links
from tools.manager_process import ManagerProcess
from tools.polling import poll
from tools.transports import connect

NAMES = ("api", "child", "grandchild", "fourth", "fifth", "sixth", "seventh")
OPTIONS = {"cells": {"allowed_services": TOPIC}}


class Chain:
    """``api`` above ``child`` above ``grandchild``, and so on; they run during the ``with`` block.

    :param urls: transport URLs, one for each cell
    :param options: options of every manager, ``{"upgrade_levels": {"intercell": "1.0"}}``
    :param managers: number of managers in each cell
    :param profile: options of [oslo_messaging_rabbit] of all managers, services and clients
    :param links: driver of the links between the cells
    """

    def __init__(  # noqa: PLR0913  # the differences between chains, by keyword
        self,
        place: Path,
        urls: Sequence[str],
        *,
        options: Mapping[str, Mapping[str, object]] | None = None,
        managers: int = 1,
        profile: Profile = MappingProxyType({}),
        links: Links = "rpc",
    ) -> None:
        self._place = place
        self._profile = profile
        options = {**OPTIONS, **(options or {}), **({"oslo_messaging_rabbit": profile} if profile else {})}
        self._names = NAMES[: len(urls)]
        self._direct: DirectLinks | None = None
        if links == "direct":
            paths = [self.path(hops) for hops in range(len(urls))]
            self._direct = DirectLinks(place / "direct", paths, dict.fromkeys(self._names, managers))
        self._cells = [
            [
                ManagerProcess(
                    place,
                    name,
                    url,
                    host=f"{name}-{number}",
                    options={**(self._direct.options(name, number) if self._direct else {}), **options},
                )
                for number in range(1, managers + 1)
            ]
            for name, url in zip(self._names, urls, strict=True)
        ]
        self._environment = endpoint_package.install(place / "endpoints", endpoints.__file__, "bench")
        self._stack = contextlib.ExitStack()

    @property
    def _managers(self) -> list[ManagerProcess]:
        return [manager for cell in self._cells for manager in cell]

    def __enter__(self) -> Chain:
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def _start(self, stack: contextlib.ExitStack) -> None:
        firsts = [cell[0] for cell in self._cells]
        with ThreadPoolExecutor(len(firsts)) as pool:
            list(pool.map(ManagerProcess.sync_database, firsts))
        for parent, child in itertools.pairwise(firsts):
            if self._direct is None:
                parent.link_child(child)
            else:
                self._direct.link(parent, child)
        for manager in self._managers:
            manager.start(self._environment)
        for manager in self._managers:
            manager.wait_ready()
        transport = connect(with_options(firsts[0].transport_url, self._profile), self._place)
        stack.callback(transport.cleanup)
        self._transport = transport
        self.api = self.client()
        self.context = get_admin_context()
        if len(firsts) > 1:
            stack.enter_context(serving(with_options(firsts[1].transport_url, self._profile), self._place))
            client = rpc.get_rpc_client(transport, oslo_messaging.Target(topic=TOPIC, version="1.0"), timeout=30)
            self._service = client.prepare(cell=self.path(1))
        poll(self._is_formed, f"{len(firsts)} cells know each other", timeout_seconds=90, pause_seconds=0.5)

    def _is_formed(self) -> bool:
        return len(self.api.broadcast_call(self.context, "ping")) == len(self._cells)

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _stop(self) -> None:
        for manager in self._managers:
            manager.begin_stop()
        for manager in self._managers:
            manager.stop()
        if self._direct is not None:
            self._direct.close()

    def client(self, cap: str | None = None) -> CellsAPI:
        """Return a client of the topmost cell.

        :param cap: [upgrade_levels] cells
        """
        return CellsAPI(self._transport, timeout=30, version_cap=cap)

    def path(self, hops: int) -> str:
        """Return the path of the cell ``hops`` hops below the topmost cell."""
        return str(CellPath(self._names[: hops + 1]))

    def call(self, hops: int, method: str = "ping", **kwargs: Any) -> Any:
        """Call a method of the cell ``hops`` hops below."""
        return self.api.call(self.context, self.path(hops), method, kwargs)

    def one_hop(self) -> None:
        """Call a method of the child."""
        self.call(1)

    def service(self) -> None:
        """Call a method of a service of the child."""
        self._service.call({}, "ping")

    def slow_service(self, seconds: float) -> None:
        """Call a method of a service of the child that sleeps for ``seconds``."""
        self._service.call({}, "sleep", seconds=seconds)

    def two_hops(self) -> None:
        """Call a method of the grandchild."""
        self.call(2)

    def broadcast(self) -> None:
        """Call a method of all cells and wait for all answers."""
        check_answers(self.api.broadcast_call(self.context, "ping"), len(self._cells))
