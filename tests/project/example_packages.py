"""The example packages of the documentation, built and installed like those of a user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.project.sources import DOC, ROOT


def answers_of(script: str, example: str, directory: Path, **environment: str) -> dict[str, Any]:
    """Return the JSON object that a module of the tests prints in a process in which an example package is installed.

    A manager loads endpoints at start, so the test cannot do this within pytest.

    :param example: directory of the package
    """
    source, site = directory / "source", directory / "site"
    # A build writes into the source directory, which is under version control.
    shutil.copytree(DOC / "examples" / example, source)
    # Install the package like pip, but in one process instead of four.
    _run("-c", "from setuptools import build_meta; build_meta.build_wheel('.')", cwd=source)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    printed = _run("-m", script, PYTHONPATH=os.pathsep.join([str(site), str(ROOT)]), **environment)
    found: dict[str, Any] = json.loads(printed)
    return found


def _run(*arguments: str, cwd: Path = ROOT, **environment: str) -> str:
    command = (sys.executable, *arguments)
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
