"""Example package of the documentation: builds, installs, and its endpoints can be called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "doc" / "source" / "examples" / "cells-disk-usage"


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the answers of the endpoints across cells."""
    source = tmp_path_factory.mktemp("source") / "example"
    # A build writes into the source directory, which is under version control.
    shutil.copytree(EXAMPLE, source)
    site = tmp_path_factory.mktemp("site")
    # Install the package like pip, but in one process instead of four.
    run(sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('.')", cwd=source)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    printed = run(
        *(sys.executable, "-m", "tests.project.example_tree"), PYTHONPATH=os.pathsep.join([str(site), str(ROOT)])
    )
    found: dict[str, Any] = json.loads(printed)
    return found


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
