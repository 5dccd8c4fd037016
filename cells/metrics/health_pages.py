"""The pages /healthz and /readyz: 200 or 503, and the reasons as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from cells.health.progress import Progress
from cells.health.readiness import Readiness
from cells.metrics.pages import Answer

_JSON = "application/json"


class AlivePage:
    """Whether the threads of the manager make progress: a manager that is not alive has to be restarted."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, _accept: str) -> Answer:
        stalled = self._progress.stalled()
        ages = {name: round(age, 1) for name, age in self._progress.ages().items()}
        values: dict[str, Any] = {"status": "stalled" if stalled else "alive", "stalled": sorted(stalled)}
        return _answer(is_good=not stalled, values={**values, "seconds_since_last_turn": ages})


class ReadyPage:
    """Whether messages get through: a manager that is not ready should get no work."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def __call__(self, _accept: str) -> Answer:
        problems = self._readiness.problems()
        return _answer(
            is_good=not problems, values={"status": "not ready" if problems else "ready", "reasons": problems}
        )


def _answer(*, is_good: bool, values: Mapping[str, Any]) -> Answer:
    status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, _JSON, json.dumps(values).encode() + b"\n")
