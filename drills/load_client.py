"""Handle of the load: the two client processes, and their results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from drills.kinds import SOURCES
from drills.load import LAST_OUTCOME_SECONDS
from drills.operation import Operation
from drills.script import Script


class LoadClients:
    """Clients at ``api`` and ``az1``, from :meth:`start` to :meth:`finish`; killed at the end of the ``with`` block.

    :param place: an existing directory for the results
    :param config_files: of managers, at least of both cells
    :param seed: the numbers of the messages contain it
    """

    def __init__(self, place: Path, config_files: Mapping[str, Path], rates: Mapping[str, float], seed: int) -> None:
        self._files = {cell: place / f"load-{cell}.json" for cell in SOURCES}
        self._plans = {
            cell: {
                "config_file": str(config_files[cell]),
                "cell": cell,
                "results_file": str(file),
                "rates": rates,
                "seed": seed,
            }
            for cell, file in self._files.items()
        }
        self._scripts: list[Script] = []

    def __enter__(self) -> LoadClients:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for script in self._scripts:
            script.kill9()

    def start(self) -> None:
        """Start both clients; they send when this returns."""
        for cell, plan in self._plans.items():
            log_file = self._files[cell].with_suffix(".log")
            self._scripts.append(Script("drills.load", json.dumps(plan), log_file=log_file))
        for script in self._scripts:
            script.wait_ready()

    def finish(self) -> list[Operation]:
        """Begin no more messages, wait for the outcomes, and return all messages."""
        for script in self._scripts:
            script.close()
        for script in self._scripts:
            script.wait(2 * LAST_OUTCOME_SECONDS)
        return [operation for file in self._files.values() for operation in _read(file)]


def _read(file: Path) -> list[Operation]:
    """Return the messages; the first line of a message has no outcome, and each further line has one."""
    found: dict[str, Operation] = {}
    for line in file.read_text().splitlines():
        operation = Operation.read(json.loads(line))
        before = found.get(operation.number)
        outcomes = (*before.outcomes, *operation.outcomes) if before else operation.outcomes
        found[operation.number] = dataclasses.replace(operation, outcomes=outcomes)
    return list(found.values())
