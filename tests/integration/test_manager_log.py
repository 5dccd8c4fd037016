"""The log of a real manager in JSON, its rotation, and the options that SIGHUP applies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.processes import Tree
from tests.integration.rabbitmq import VirtualHostPool
from tools.manager_process import ManagerProcess
from tools.polling import poll

pytestmark = pytest.mark.rabbitmq


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, rabbitmq: VirtualHostPool) -> Iterator[Tree]:
    directory = tmp_path_factory.mktemp("log")
    options = {"east": {"DEFAULT": {"use_json": True, "log_file": directory / "east.log"}}}
    tree = Tree(directory, {"api": {"east": {}}}, rabbitmq.take, cell_options=options)
    try:
        yield tree.start()
    finally:
        tree.stop()


def records(manager: ManagerProcess) -> list[dict[str, Any]]:
    """Return the log; fails if a line is no JSON object."""
    return [dict(json.loads(line)) for line in manager.log().splitlines()]


def test_each_line_is_one_json_object_with_the_request_id_of_the_caller(tree: Tree) -> None:
    assert tree["api"].cells("call", "east", "no_such_method").returncode == 2

    def found() -> list[dict[str, Any]]:
        return [record for record in records(tree["east"]) if "no_such_method" in record["message"]]

    (record,) = poll(found, "east logs the call")
    assert record["levelname"] == "INFO"
    assert record["context"]["request_id"].startswith("req-")


def test_sighup_applies_allowed_services_and_the_log_level(tree: Tree) -> None:
    east = tree["east"]
    before = east.config_file.read_text()

    def error_of_call() -> str:
        return tree["api"].cells("service", "call", "east", "inventory", "count", "--timeout", "5").stderr

    assert "allowed_services" in error_of_call()
    east.config_file.write_text(
        before.replace("[cells]\n", "[cells]\nallowed_services = inventory\n").replace(
            "[DEFAULT]\n", "[DEFAULT]\ndebug = true\n"
        )
    )
    east.hup()
    # Allowed, and no such service runs.
    poll(lambda: "no server of that topic" in error_of_call(), "the call is allowed")
    # The second call of a method that is missing is a line at DEBUG.
    for _ in range(2):
        tree["api"].cells("call", "east", "no_such_debug")
    poll(lambda: any(record["levelname"] == "DEBUG" for record in records(east)), "a line at DEBUG")

    # A pattern that is wrong changes nothing.
    east.config_file.write_text(before.replace("[cells]\n", "[cells]\nallowed_services = inventory:\n"))
    east.hup()
    poll(lambda: any("keeps the old value" in record["message"] for record in records(east)), "the log says why")
    assert "no server of that topic" in error_of_call()

    east.config_file.write_text(before)
    east.hup()
    poll(lambda: "allowed_services" in error_of_call(), "the call is not allowed")


def test_the_manager_goes_on_in_a_new_file_when_the_old_one_is_renamed(tree: Tree) -> None:
    east = tree["east"]
    east.log_file.rename(east.log_file.with_suffix(".log.1"))
    east.hup()
    poll(lambda: any("SIGHUP" in record["message"] for record in records(east)), "the new file has lines")
