"""The start of both daemons."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cases import each


@each("program", ["manager", "api"])
@each("option", ["log_file", "log_config_append"])
def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path, option: str, program: str) -> None:
    config_file = tmp_path / "cells.conf"
    config_file.write_text(f"[DEFAULT]\n{option} = {config_file}/log\n")
    command = (sys.executable, "-m", f"cells.cmd.{program}", "--config-file", str(config_file))
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert option in line
