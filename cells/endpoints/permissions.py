"""The calls that this cell allows: the callers of each endpoint, and the methods in the row of each neighbor."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from cells import exceptions
from cells.endpoints.base import CHILDREN, OWN_CELL, PARENTS
from cells.endpoints.registry import Endpoints
from cells.neighbors import Neighbor, Neighbors
from cells.services.allow_list import AllowedServices
from cells.services.request import ServiceRequest

#: Endpoints of the managers themselves, which every neighbor may call: without them a link does not work.
PROTOCOL = frozenset(
    {"ping", "announce_capabilities", "announce_capacities", "update_capabilities", "update_capacities"}
)
#: Endpoints through which a neighbor calls services; the row may allow single services.
SERVICE_ENDPOINTS = frozenset({"service_call", "service_cast", "service_event", "service_call_any", "service_cast_any"})


@dataclass(eq=False, repr=False)
class Permissions:
    """Checks calls before they run.  Thread-safe."""

    cell_name: str
    endpoints: Endpoints
    #: returns the registered neighbors
    neighbors: Callable[[], Neighbors]
    #: exchange of the services in rows that name none
    exchange: str

    def check(self, method: str, sender: str | None) -> Neighbor | None:
        """Check that the sender of a request may call an endpoint; return the row of the sender, if there is one.

        :param sender: the neighbor that has sent the request; None: this cell
        :raises cells.exceptions.CallNotAllowed: the endpoint, or the row of the neighbor, does not allow the call
        """
        callers = self.endpoints.callers(method)
        if sender is None:
            if OWN_CELL not in callers:
                raise self._refusal(method, "services of this cell", "it is for other cells only")
            return None
        neighbors = self.neighbors()
        side = PARENTS if sender in neighbors.parents else CHILDREN
        if side not in callers:
            raise self._refusal(method, sender, f"it is for: {', '.join(sorted(callers))}")
        row = neighbors.get(sender)
        if row is not None and row.allowed_methods is not None and not _allowed(row, self.exchange).allows(method):
            raise self._refusal(
                method, sender, f'its operator can allow it with "cells neighbor set {sender} --allow ..."'
            )
        return row

    def check_service(self, sender: str, request: ServiceRequest) -> None:
        """Check that the row of a neighbor allows a call of a service.

        :raises cells.exceptions.ServiceNotAllowed: it does not
        """
        row = self.neighbors().get(sender)
        if row is None or row.allowed_methods is None:
            return
        allowed = _allowed(row, self.exchange)
        if allowed.allows_all_services:
            return
        try:
            allowed.services.check(request, self.cell_name)
        except exceptions.ServiceNotAllowed as error:
            raise exceptions.ServiceNotAllowed(
                f"Cell {self.cell_name} does not let {sender} call {request!s:.200}: its operator can allow that call "
                f'with "cells neighbor set {sender} --allow {request!s:.200}".',
                cell=self.cell_name,
            ) from error

    def _refusal(self, method: str, caller: str, reason: str) -> exceptions.CallNotAllowed:
        return exceptions.CallNotAllowed(
            f"Cell {self.cell_name} does not let {caller} call {method!r:.80}: {reason}.",
            cell=self.cell_name,
            method=method,
        )


class _Allowed:
    """The methods and services in one row."""

    def __init__(self, patterns: str, exchange: str) -> None:
        """:param patterns: as :func:`cells.neighbors.neighbor.read_patterns` takes them"""
        given = [pattern for pattern in patterns.split(",") if pattern]
        named = [pattern for pattern in given if ":" not in pattern]
        self._methods = [re.compile(fnmatch.translate(pattern)) for pattern in named]
        self.services = AllowedServices([pattern for pattern in given if ":" in pattern], exchange)
        self._has_services = len(named) < len(given)

    def allows(self, method: str) -> bool:
        if method in PROTOCOL or (self._has_services and method in SERVICE_ENDPOINTS):
            return True
        return any(pattern.fullmatch(method) for pattern in self._methods)

    @property
    def allows_all_services(self) -> bool:
        """Whether a pattern names the endpoints of services, and no pattern names single services."""
        return not self._has_services


@functools.lru_cache(maxsize=1024)
def _of(patterns: str, exchange: str) -> _Allowed:
    return _Allowed(patterns, exchange)


def _allowed(row: Neighbor, exchange: str) -> _Allowed:
    return _of(row.allowed_methods or "", exchange)
