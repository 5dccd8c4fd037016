"""External package, installed for the managers of both releases: records all operations that run.

An operation without a record is lost, and an operation with two records ran twice, whatever its sender got.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

#: Environment variable with the path of the file.
RECORDS = "CELLS_TEST_UPGRADE_RECORDS"

MODULE = f'''"""An endpoint that remembers."""
import os

from cells.endpoints import endpoint


@endpoint
def record(call, number):
    """Write down that ``number`` ran in this cell."""
    # One write at the end of the file: neither threads nor processes can tear a line.
    with open(os.environ["{RECORDS}"], "a") as file:
        file.write(f"{{number}} {{call.cell.name}}\\n")
    return {{"number": number, "cell": call.cell.name}}
'''

#: (number, cell) -> number of runs there
Runs = Counter[tuple[str, str]]


class Recorder:
    """The package and its records.

    :param directory: of both
    """

    def __init__(self, directory: Path) -> None:
        packages = directory / "packages"
        information = packages / "cells_recorder-1.0.dist-info"
        information.mkdir(parents=True)
        (packages / "cells_recorder.py").write_text(MODULE)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: cells-recorder\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("[cells.endpoints]\nrecord = cells_recorder\n")
        self._file = directory / "records"
        self._file.touch()
        #: for the managers; without the other entries of PYTHONPATH, which may not suit both releases
        self.env = {"PYTHONPATH": str(packages), RECORDS: str(self._file)}

    def runs(self) -> Runs:
        """Return the runs so far."""
        lines = self._file.read_text().splitlines()
        return Counter((number, cell) for number, cell in (line.split(" ") for line in lines))
