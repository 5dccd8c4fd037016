"""Example package for the neighbors of Nova's cells service: answers Nova's broadcasts as Nova reads them."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.cases import each
from tests.project import nova_answers_tree
from tests.project.example_packages import answers_of
from tests.project.sources import DOC

Json = dict[str, Any]
EXAMPLE = "cells-nova-answers"
CELLS = ["nova!east", "nova!east!az1"]
#: Fields of Nova's object Service in version 1.21, without those of its parts.
FIELDS = {
    *("id", "uuid", "host", "binary", "topic", "report_count", "disabled", "disabled_reason", "availability_zone"),
    *("last_seen_up", "forced_down", "version", "created_at", "updated_at", "deleted_at", "deleted"),
}
HOUR_AGO = int(time.time()) - 3600


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Return the answers to Nova, with the example of a file of services, one hour old."""
    directory = tmp_path_factory.mktemp("example")
    file = directory / "services.json"
    file.write_bytes((DOC / "examples" / EXAMPLE / "services.json").read_bytes())
    os.utime(file, (HOUR_AGO, HOUR_AGO))
    return answers_of("tests.project.nova_answers_tree", EXAMPLE, directory, CELLS_NOVA_SERVICES=str(file))


def services(answer: Json) -> dict[str, Json]:
    """Return the fields of the services of one cell, by host."""
    for one in answer["value"]:
        assert one.keys() == {f"nova_object.{key}" for key in ("name", "namespace", "version", "data")}
        assert (one["nova_object.name"], one["nova_object.namespace"]) == ("Service", "nova")
        assert one["nova_object.data"].keys() == FIELDS
    return {one["nova_object.data"]["host"]: one["nova_object.data"] for one in answer["value"]}


@each("method", list(nova_answers_tree.LISTS))
def test_a_list_of_nova_is_answered_by_every_cell(answers: Json, method: str) -> None:
    found = answers["lists"][method]
    assert {cell: answer["failure"] for cell, answer in found.items()} == dict.fromkeys(CELLS, False)


def test_the_manager_and_the_services_of_the_file_are_listed(answers: Json) -> None:
    found = services(answers["lists"]["service_get_all"]["nova!east"])
    binaries = {service["binary"] for service in found.values()}
    assert binaries == {"cells-manager", "inventory", "gateway"}
    assert {host for host, service in found.items() if service["disabled"]} == {"east-gw1"}
    assert (
        len({service["id"] for service in found.values()}) == len({service["uuid"] for service in found.values()}) == 4
    )


def test_a_service_was_seen_when_it_says_so_or_at_the_time_of_the_file(answers: Json) -> None:
    found = services(answers["lists"]["service_get_all"]["nova!east"])
    seen = {host: datetime.fromisoformat(one["last_seen_up"].replace("Z", "+00:00")) for host, one in found.items()}
    (own,) = [seen[host] for host, service in found.items() if service["binary"] == "cells-manager"]
    assert (datetime.now(timezone.utc) - own).total_seconds() < 60
    assert seen["east-db1"].timestamp() == HOUR_AGO
    assert seen["east-db2"] == datetime(2026, 1, 5, 9, 30, tzinfo=timezone.utc)


def test_services_are_filtered(answers: Json) -> None:
    hosts = [set(services(answer["nova!east"])) for answer in answers["filtered"]]
    assert hosts == [{"east-db1", "east-db2"}, {"east-gw1"}, set()]


def test_the_empty_lists_have_the_types_that_nova_sums_up(answers: Json) -> None:
    values = {method: answer["nova!east"]["value"] for method, answer in answers["lists"].items()}
    assert (values["compute_node_get_all"], values["compute_node_stats"], values["task_log_get_all"]) == ([], {}, [])
    assert values["get_migrations"]["nova_object.name"] == "MigrationList"
    assert values["get_migrations"]["nova_object.data"] == {"objects": []}


def test_notices_have_endpoints_and_there_is_no_key_pair(answers: Json) -> None:
    found = [answer for part in ("up", "down") for cells in answers[part].values() for answer in cells.values()]
    expected = len(nova_answers_tree.UP) + len(CELLS) * len(nova_answers_tree.DOWN)
    assert found == [{"value": None, "failure": False}] * expected


def test_a_child_may_not_ask_for_lists(answers: Json) -> None:
    (answer,) = answers["wrong_way"].values()
    assert answer["failure"]
    assert "CallNotAllowed" in answer["value"]


def test_a_wrong_file_does_not_cost_nova_its_list(answers: Json) -> None:
    binaries = [[one["binary"] for one in services(answer["nova!east"]).values()] for answer in answers["wrong_files"]]
    assert binaries == [["cells-manager"]] * len(nova_answers_tree.WRONG_FILES)
