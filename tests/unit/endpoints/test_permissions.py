"""The calls that a cell allows: the callers of an endpoint, and the methods in the row of a neighbor."""

from __future__ import annotations

import contextlib

import pytest

from cells import exceptions
from cells.endpoints import Call, Endpoints, endpoint
from cells.endpoints.base import EVERY_CALLER, mark_of
from cells.endpoints.permissions import PROTOCOL, Permissions
from cells.neighbors import Neighbor, Neighbors
from cells.path import CellPath
from cells.services.request import ServiceRequest
from tests.cases import each


@endpoint
def for_all(call: Call) -> None: ...


@endpoint(callers=["own_cell"])
def for_own(call: Call) -> None: ...


@endpoint(callers="parents")
def for_parents(call: Call) -> None: ...


@endpoint(callers=("children", "own_cell"))
def for_children(call: Call) -> None: ...


ENDPOINTS = Endpoints([for_all, for_own, for_parents, for_children])


def permissions(allowed_methods: str | None = None) -> Permissions:
    """Return the permissions of east, with the parent api, whose row allows some methods, and the child az1."""
    rows = [
        Neighbor("api", "memory://bus/api", is_parent=True, driver="memory", allowed_methods=allowed_methods),
        Neighbor("az1", "memory://bus/az1", is_parent=False, driver="memory"),
    ]
    return Permissions("east", ENDPOINTS, lambda: Neighbors.of(rows), "openstack")


def is_allowed(method: str, route: str, allowed_methods: str | None = None) -> bool:
    with contextlib.suppress(exceptions.CallNotAllowed):
        permissions(allowed_methods).check(method, CellPath.parse(route).sender)
        return True
    return False


@each(
    ("method", "callers"),
    [
        ("for_all", {"own_cell", "parents", "children"}),
        ("for_own", {"own_cell"}),
        ("for_parents", {"parents"}),
        ("for_children", {"own_cell", "children"}),
        ("unknown", {"own_cell", "parents", "children"}),
    ],
)
def test_callers_of_an_endpoint(method: str, callers: set[str]) -> None:
    routes = {"own_cell": ["east"], "parents": ["api!east", "west!api!east"], "children": ["az1!east", "rack!az1!east"]}
    found = {caller for caller, ways in routes.items() if all(is_allowed(method, way) for way in ways)}
    assert found == callers


@each("callers", ["everybody", [], ["parents", "strangers"]])
def test_callers_that_do_not_exist_are_an_error_at_load(callers: str | list[str]) -> None:
    with pytest.raises(exceptions.PluginError):
        endpoint(callers=callers)


def test_all_is_everybody() -> None:
    @endpoint(callers="all")
    def anybody(call: Call) -> None: ...

    mark = mark_of(anybody)
    assert mark is not None
    assert mark.callers == set(EVERY_CALLER)


@each(
    ("allowed_methods", "method", "is_ok"),
    [
        (None, "for_all", True),
        ("", "for_all", False),
        ("for_*", "for_all", True),
        ("for_al?,x", "for_all", True),
        ("FOR_ALL", "for_all", False),
        ("for_*", "for_own", False),
        ("for_*", "service_call", False),
        ("service_*", "service_call", True),
        ("inventory:*", "service_call", True),
        ("inventory:*", "for_all", False),
        *(("", method, True) for method in sorted(PROTOCOL)),
    ],
)
def test_methods_in_the_row_of_a_neighbor(allowed_methods: str | None, method: str, is_ok: bool) -> None:
    assert is_allowed(method, "west!api!east", allowed_methods) is is_ok
    assert is_allowed(method, "az1!east") is (method != "for_own")


@each(
    ("allowed_methods", "is_ok"),
    [
        (None, True),
        ("service_*", True),
        ("inventory:get", True),
        ("inventory:set", False),
        ("other/inventory:*", False),
    ],
)
def test_services_in_the_row_of_a_neighbor(allowed_methods: str | None, is_ok: bool) -> None:
    request = ServiceRequest(topic="inventory", method="get")
    expected = contextlib.nullcontext() if is_ok else pytest.raises(exceptions.ServiceNotAllowed)
    with expected:
        permissions(allowed_methods).check_service("api", request)
    permissions(allowed_methods).check_service("az1", request)
