"""Install the endpoints of the benchmark for managers, like those of an installed package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench import endpoints

MODULE = "cells_bench_endpoints"


def install(place: Path) -> dict[str, str]:
    """Write the package into ``place``; return the environment variables that a manager needs."""
    information = place / f"{MODULE}-1.0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    shutil.copy(endpoints.__file__, place / f"{MODULE}.py")
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[cells.endpoints]\nbench = {MODULE}\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))}
