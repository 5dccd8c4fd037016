"""User page on testing: its code blocks, in order, are a test module."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "doc" / "source" / "user" / "testing.rst"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", re.MULTILINE)


def blocks() -> list[str]:
    return [textwrap.dedent(block).strip() for block in BLOCK.findall(PAGE.read_text())]


def test_example_has_five_lines() -> None:
    example = blocks()[1]
    assert example.startswith("from cells.testing import CellTree\n")
    assert len(list(filter(None, example.splitlines()))) == 5


def test_every_block_works_in_a_fresh_process(tmp_path: Path) -> None:
    module = tmp_path / "test_page.py"
    module.write_text("\n\n\n".join(blocks()) + "\n")
    tests = len(re.findall(r"^def test_", module.read_text(), re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, module],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert tests >= 5
    assert f"{tests} passed" in done.stdout
