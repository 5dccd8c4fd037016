"""Install one module of endpoints for managers, as the entry point of an installed package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def install(place: Path, module_file: str, name: str) -> dict[str, str]:
    """Write a package with a copy of ``module_file`` into ``place``.

    :param name: of the entry point; the copy is the module ``cells_NAME_endpoints``
    :returns: the environment variables that a manager needs to find it
    """
    module = f"cells_{name}_endpoints"
    information = place / f"{module}-1.0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    shutil.copy(module_file, place / f"{module}.py")
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[cells.endpoints]\n{name} = {module}\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))}
