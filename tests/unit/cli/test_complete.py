"""``cells complete``, in a real bash."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cases import each
from tests.unit.cli.conftest import Cells

_ASK = """
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_cells
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(cells: Cells, tmp_path: Path) -> Path:
    file = tmp_path / "cells.bash"
    file.write_text(cells.bare("complete").out)
    return file


@each(
    ("line", "proposed"),
    [
        ("cells ne", ["neighbor"]),
        ("cells --config-file /etc/x --debug ne", ["neighbor"]),
        ("cells neighbor sh", ["show"]),
        ("cells --sandbox ping topo", ["topology"]),
        ("cells neighbor create east --ty", ["--type"]),
        ("cells neighbor create east --type p", ["parent"]),
        ("cells topology -f d", ["dot"]),
        ("cells topology -f json --time", ["--timeout"]),
        ("cells broadcast ping --direction ", ["down", "up"]),
        ("cells --config-f", ["--config-file"]),
        # Names of files.
        ("cells --config-file ", []),
        ("cells neighbor import ", []),
        ("cells neighbor import a]b\"c$x'* ", []),
    ],
)
def test_words_are_proposed(script: Path, line: str, proposed: list[str]) -> None:
    words = line.split(" ")
    done = subprocess.run(
        ["bash", "-c", _ASK, "bash", str(script), *words], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.stderr == ""
    assert done.stdout.split() == proposed
