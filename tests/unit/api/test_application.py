"""Requests, answers and errors of the HTTP API, without a server and with a manager that is a table."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import jsonschema
import oslo_messaging
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from cells import exceptions
from cells.api.routes import ROUTES
from tests.cases import each
from tests.unit.api.conftest import ADMIN, MAX_BODY_BYTES, READER, Manager, get, make_application, post, row

GETS = [
    "/",
    "/v1/",
    "/v1/openapi.json",
    "/v1/cells",
    "/v1/cells/detail",
    "/v1/cells/info",
    "/v1/cells/capacities",
    "/v1/cells/east",
    "/v1/cells/east/capacities",
    "/v1/topology",
    "/v1/links",
    "/v1/ping?cell=east",
    "/v1/trace?cell=east",
    "/v1/upgrade-matrix",
    "/v1/doctor",
]


def error_of(response: Any) -> dict[str, Any]:
    error = response.json["error"]
    assert error["code"] == response.status_code
    assert error["title"]
    assert error["message"]
    assert error["request_id"] == response.headers["X-OpenStack-Request-ID"]
    return dict(error)


def test_every_route_answers_as_its_schema_says(client: Client) -> None:
    called = {path.partition("?")[0].replace("east", "<name>") for path in GETS}
    assert called == {route.path for route in ROUTES if route.method == "GET"}
    routes = {(route.method, route.path): route for route in ROUTES}
    for path in GETS:
        response = get(client, path)
        assert (response.status_code, response.mimetype) == (200, "application/json"), (path, response.text)
        route = routes["GET", path.partition("?")[0].replace("east", "<name>")]
        jsonschema.Draft202012Validator(route.answer).validate(response.json)
    response = post(client, "/v1/call", {"cell": "east", "method": "ping"})
    assert response.status_code == 200
    jsonschema.Draft202012Validator(routes["POST", "/v1/call"].answer).validate(response.json)


def test_lists_have_the_shape_of_os_cells(client: Client) -> None:
    assert get(client, "/v1/cells").json["cells"] == [
        {"name": "east", "type": "child", "rpc_host": "host", "rpc_port": 5672, "username": "u"},
        {"name": "top", "type": "parent", "rpc_host": "host", "rpc_port": 5672, "username": "u"},
        {"name": "west", "type": "child", "rpc_host": "host", "rpc_port": 5672, "username": "u"},
    ]
    shown = get(client, "/v1/cells/top").json
    assert shown == {"cell": {"name": "top", "type": "parent", "rpc_host": "host", "rpc_port": 5672, "username": "u"}}
    details = get(client, "/v1/cells/detail").json["cells"]
    assert [cell["capabilities"] for cell in details] == [{"os": ["linux"]}, {}, {}]
    assert get(client, "/v1/cells/east/capacities").json == {"cell": {"capacities": {"ram_free": {"total_mb": 3}}}}
    own = get(client, "/v1/cells/info").json["cell"]
    assert (own["name"], own["type"], own["rpc_host"], own["rpc_port"]) == ("api", "self", None, 0)


def test_a_cell_without_a_broker_has_no_host(client: Client, manager: Manager) -> None:
    manager.answers["neighbors"] = [row("east", url="")]
    shown = get(client, "/v1/cells/east").json["cell"]
    assert (shown["rpc_host"], shown["rpc_port"], shown["username"]) == (None, None, None)


def test_pages(client: Client) -> None:
    first = get(client, "/v1/cells?limit=2").json
    assert [cell["name"] for cell in first["cells"]] == ["east", "top"]
    second = get(client, first["cells_links"][0]["href"]).json
    assert ([cell["name"] for cell in second["cells"]], second["cells_links"]) == (["west"], [])


def test_pages_of_links_go_on_after_a_neighbor_that_was_deleted(client: Client, manager: Manager) -> None:
    first = get(client, "/v1/links?limit=1").json
    assert [link["name"] for link in first["links"]] == ["east"]
    manager.answers["neighbors"] = [row for row in manager.answers["neighbors"] if row["name"] != "east"]
    following = get(client, first["links_links"][0]["href"]).json
    assert [link["name"] for link in following["links"]] == ["stranger"]


def test_a_call_reaches_the_manager_with_its_arguments(client: Client, manager: Manager) -> None:
    body = {"cell": "api!east", "method": "ping", "arguments": {"a": [1]}, "timeout": 3}
    answer = post(client, "/v1/call", body)
    assert answer.json == {"call": {"cell": "api!east", "method": "ping", "value": manager.answers["call"]}}
    _, ctxt, arguments, options = manager.last("call")
    assert (arguments, options) == (("api!east", "ping", {"a": [1]}), {"timeout": 3})
    assert (ctxt.user_id, ctxt.is_admin) == ("boss", True)


def test_request_ids(client: Client, manager: Manager) -> None:
    given_id = "req-01234567-89ab-cdef-0123-456789abcdef"
    response = get(client, "/v1/links", headers={"X-OpenStack-Request-ID": given_id})
    ctxt = manager.last("neighbors")[1]
    assert ctxt.global_request_id == given_id
    assert ctxt.request_id == response.headers["X-OpenStack-Request-ID"]
    get(client, "/v1/links", headers={"X-OpenStack-Request-ID": "evil\x85id"})
    assert manager.last("neighbors")[1].global_request_id is None


@each(
    ("method", "path", "status"),
    [
        ("GET", "/v2", 404),
        ("GET", "/v1/cells/nobody", 404),
        ("GET", "/v1/cells/nobody/capacities", 404),
        ("GET", "/v1/cells/a/b/c", 404),
        ("DELETE", "/v1/cells", 405),
        ("GET", "/v1/call", 405),
        ("OPTIONS", "/v1/cells", 405),
        ("GET", "/v1/cells?limit=0", 400),
        ("GET", "/v1/cells?limit=x", 400),
        ("GET", "/v1/cells?limit=1&limit=2", 400),
        ("GET", "/v1/cells?sort=name", 400),
        ("GET", "/v1/ping", 400),
        ("GET", "/v1/ping?cell=east&timeout=nan", 400),
        ("GET", "/v1/ping?cell=east&timeout=1e9", 400),
        ("GET", "/v1/topology?timeout=-1", 400),
    ],
)
def test_wrong_requests(client: Client, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method, headers={"X-Auth-Token": READER})
    assert error_of(response)["code"] == status


def test_a_wrong_method_is_told_the_right_one(client: Client) -> None:
    assert set(client.put("/v1/call").headers["Allow"].split(", ")) == {"POST"}


@each(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[1]", "body"),
        (b"\xff", "body"),
        (b'{"cell": "a", "method": "b", "timeout": NaN}', "body"),
        (b'{"cell": "a", "method": "b", "arguments": {"x": 1e999}}', "body"),
        (b'{"cell": "a", "method": "b", "arguments": {"x": "\\ud800"}}', "body"),
        (b'{"cell": 1, "method": "b"}', "body.cell"),
        (b'{"cell": "a", "method": ""}', "body.method"),
        (b'{"cell": "a", "method": "b", "timeout": "3"}', "body.timeout"),
        (b'{"cell": "a", "method": "b", "arguments": []}', "body.arguments"),
        (b'{"cell": "a", "method": "b", "more": 1}', "body"),
        (b'{"cell": "a", "method": "b", "arguments": {"x": ' + b"[" * 70 + b"]" * 70 + b"}}", "body"),
        (b"[" * 2000, "body"),
    ],
)
def test_wrong_bodies_name_the_field(client: Client, body: bytes, field: str) -> None:
    response = client.post("/v1/call", data=body, content_type="application/json", headers={"X-Auth-Token": ADMIN})
    error = error_of(response)
    assert (error["code"], error["field"]) == (400, field)


def test_a_body_of_another_type_is_refused(client: Client) -> None:
    response = client.post("/v1/call", data=b"{}", content_type="text/plain", headers={"X-Auth-Token": ADMIN})
    assert error_of(response)["code"] == 415


class Unread:
    """A body that must not be read."""

    def read(self, *_: int) -> bytes:
        raise AssertionError("The body was read")


def test_a_long_body_is_refused_before_it_is_read(client: Client) -> None:
    response = client.post(
        "/v1/call",
        environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": "10000000"},
        content_type="application/json",
        headers={"X-Auth-Token": ADMIN},
    )
    assert error_of(response)["code"] == 413
    exact = client.post(
        "/v1/call", data=b" " * MAX_BODY_BYTES, content_type="application/json", headers={"X-Auth-Token": ADMIN}
    )
    assert exact.status_code == 400


@each(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Auth-Token": "wrong"}, 401),
        ({"X-Auth-Token": READER[:-1]}, 401),
        ({"Authorization": f"Basic {ADMIN}"}, 401),
        ({"X-Roles": "admin", "X-Identity-Status": "Confirmed", "X-User-Id": "x"}, 401),
        ({"X-Auth-Token": READER}, 403),
        ({"Authorization": f"Bearer {ADMIN}"}, 200),
    ],
)
def test_tokens(client: Client, headers: dict[str, str], status: int) -> None:
    response = client.post("/v1/call", json={"cell": "east", "method": "ping"}, headers=headers)
    assert response.status_code == status
    assert (response.status_code == 401) is ("WWW-Authenticate" in response.headers)
    if status != 200:
        error_of(response)


@each(
    ("raised", "status"),
    [
        (exceptions.ManagerTimeout("away"), 503),
        (oslo_messaging.MessageDeliveryFailure("broker"), 503),
        (exceptions.CellTimeout("late", cell="east"), 504),
        (exceptions.CellNotFound("none"), 404),
        (exceptions.AmbiguousCell("two"), 400),
        (exceptions.InvalidArguments("bad"), 400),
        (exceptions.UnknownMethod("no"), 404),
        (exceptions.CallNotAllowed("no"), 403),
        (exceptions.RPCVersionCapError("cap"), 501),
        (exceptions.NeighborUnreachable("down"), 502),
        (exceptions.RemoteError("ValueError: x", exc_type="ValueError"), 502),
        (KeyError("x"), 502),
    ],
)
def test_errors_of_the_manager_have_a_status(client: Client, manager: Manager, raised: Exception, status: int) -> None:
    manager.answers["call"] = raised
    assert error_of(post(client, "/v1/call", {"cell": "east", "method": "x"}))["code"] == status


def test_errors_show_no_login(client: Client, manager: Manager) -> None:
    manager.answers["call"] = exceptions.NeighborUnreachable("rabbit://user:secret@host:5672/v is away")
    response = post(client, "/v1/call", {"cell": "east", "method": "x"})
    assert "secret" not in response.text


def test_a_value_without_a_json_form_is_an_error_of_the_other_cell(client: Client, manager: Manager) -> None:
    manager.answers["call"] = float("nan")
    assert error_of(post(client, "/v1/call", {"cell": "east", "method": "x"}))["code"] == 502


def test_a_mistake_of_this_program_is_logged_and_hidden(client: Client, manager: Manager) -> None:
    manager.answers["neighbors"] = [{}]
    error = error_of(get(client, "/v1/cells"))
    assert error["code"] == 500
    assert "KeyError" not in error["message"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(("cell", "method", "arguments", "timeout", "else"), VALUES))
QUERIES = st.dictionaries(
    st.sampled_from(["cell", "limit", "marker", "timeout", "x"]) | st.text(max_size=5), st.text(max_size=20), max_size=3
)


@given(
    route=st.sampled_from(ROUTES),
    name=st.text(max_size=20),
    query=QUERIES,
    body=st.binary(max_size=60) | BODIES,
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "PATCH"]),
    kind=st.sampled_from(["application/json", "text/plain", ""]),
)
@settings(max_examples=4 * settings.default.max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_causes_an_error_of_the_server(
    client: Client, route: Any, name: str, query: dict[str, str], body: Any, method: str, kind: str
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = route.path.replace("<name>", quote(name, safe=""))
    response = client.open(
        path=path, query_string=query, data=data, content_type=kind, method=method, headers={"X-Auth-Token": ADMIN}
    )
    assert response.status_code < 500, response.text


def test_make_application_is_for_any_manager(conf: Any) -> None:
    assert get(Client(make_application(conf, Manager({"neighbors": []}))), "/v1/links").json["links"] == []
