"""A package of somebody else's, installed for the managers of both releases: it writes down all that runs.

What ran nowhere was lost, and what ran twice was doubled, whatever its sender believes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

#: Names the file to the endpoint.
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

#: (number, cell) -> how often it ran there
Runs = Counter[tuple[str, str]]


class Recorder:
    """The package and what it has written.

    :param directory: where both are
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
        #: for the managers; what else may be in PYTHONPATH is not for both releases
        self.env = {"PYTHONPATH": str(packages), RECORDS: str(self._file)}

    def runs(self) -> Runs:
        """What has run so far."""
        lines = self._file.read_text().splitlines()
        return Counter((number, cell) for number, cell in (line.split(" ") for line in lines))
