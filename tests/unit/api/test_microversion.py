"""Negotiation of the version of the HTTP API."""

from __future__ import annotations

from werkzeug.test import Client

from cells.api.microversion import HISTORY, NEWEST, OLDEST
from tests.cases import each
from tests.unit.api.conftest import get

NAME = "OpenStack-API-Version"


def test_the_versions_are_sorted_and_unique() -> None:
    assert sorted(set(HISTORY)) == list(HISTORY)


@each(
    ("header", "version"),
    [
        (None, OLDEST),
        ("", OLDEST),
        ("compute 2.90", OLDEST),
        ("cells 1.0", OLDEST),
        ("CELLS latest", NEWEST),
        ("compute 2.90, cells 1.0, volume 3.0", OLDEST),
    ],
)
def test_each_answer_names_its_version(client: Client, header: str | None, version: object) -> None:
    response = get(client, "/v1/cells", headers={} if header is None else {NAME: header})
    assert response.status_code == 200
    assert response.headers[NAME] == f"cells {version}"
    assert NAME in response.headers["Vary"]


def test_errors_name_their_version_too(client: Client) -> None:
    response = get(client, "/v1/cells/nowhere", headers={NAME: "cells latest"})
    assert (response.status_code, response.headers[NAME]) == (404, f"cells {NEWEST}")


@each(
    ("header", "status"),
    [
        ("cells 0.9", 406),
        ("cells 1.9999", 406),
        ("cells 2.0", 406),
        ("cells 1", 400),
        ("cells", 400),
        ("cells 1.0 2.0", 400),
        ("cells 1.0, cells 1.0", 400),
        ("cells 01.0", 400),
        ("cells 99999999999.0", 400),
        ("cells xé", 400),
    ],
)
def test_other_versions_are_refused(client: Client, header: str, status: int) -> None:
    response = get(client, "/v1/cells", headers={NAME: header})
    error = response.json["error"]
    assert (response.status_code, error["code"]) == (status, status)
    if status == 406:
        assert (error["min_version"], error["max_version"]) == (str(OLDEST), str(NEWEST))


def test_a_client_with_an_unknown_version_can_ask_for_the_versions(client: Client) -> None:
    for path, key in (("/", "versions"), ("/v1/", "version"), ("/v1", "version")):
        response = client.get(path, headers={NAME: "cells 9.9"})
        assert response.status_code == 200
        found = response.json[key][0] if key == "versions" else response.json[key]
        assert (found["min_version"], found["max_version"]) == (str(OLDEST), str(NEWEST))
