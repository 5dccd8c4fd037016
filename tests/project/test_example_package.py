"""Example package of the documentation: builds, installs, and its endpoints can be called."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.project.example_packages import answers_of


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the answers of the endpoints across cells."""
    return answers_of("tests.project.example_tree", "cells-disk-usage", tmp_path_factory.mktemp("example"))


def test_the_endpoint_runs_in_the_other_cell_with_the_callers_context(answers: dict[str, Any]) -> None:
    usage = answers["usage"]["value"]
    assert usage["cell"] == "az1"
    assert usage["asked_from"] == "api"
    assert usage["asked_by"] == "ada"
    assert 0 <= usage["free_bytes"] <= usage["total_bytes"] == shutil.disk_usage("/").total


def test_endpoint_with_a_name_of_its_own_is_called_by_that_name(answers: dict[str, Any]) -> None:
    assert 0 <= answers["percent"]["value"] <= 100
    assert answers["function_name"]["error"] == "UnknownMethod_Remote"


def test_error_of_the_endpoint_reaches_the_caller_with_its_text(answers: dict[str, Any]) -> None:
    assert answers["no_such_path"]["error"] == "InvalidArguments_Remote"
    assert "/no/such/path" in answers["no_such_path"]["message"]


def test_wrong_argument_is_answered_with_the_signature(answers: dict[str, Any]) -> None:
    assert answers["wrong_argument"]["error"] == "InvalidArguments_Remote"
    assert "path" in answers["wrong_argument"]["message"]


def test_every_cell_answers_a_broadcast(answers: dict[str, Any]) -> None:
    assert set(answers["everywhere"]) == {"api", "api!east", "api!east!az1"}
    assert all(0 <= percent <= 100 for percent in answers["everywhere"].values())
