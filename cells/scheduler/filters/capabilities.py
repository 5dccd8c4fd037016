"""Filter "capabilities": rejects cells that do not announce the required capabilities or version ranges."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_utils.versionutils import VersionPredicate

from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements, is_version_range


class RequiredCapabilities(CellFilter):
    """Filter that rejects a cell without one of the required capabilities."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        for name, required in requirements.requires.items():
            announced = [str(value) for value in candidate.capabilities.get(name, ())]
            if not any(_has(announced, value) for value in required):
                values = f"{name} {' and '.join(announced)}" if announced else f"no {name}"
                return f"it announces {values}, not {' or '.join(required)}"
        return None


def _has(announced: Sequence[str], required: str) -> bool:
    if not is_version_range(required):
        return required in announced
    versions = VersionPredicate(required)
    return any(_is_within(versions, value) for value in announced)


def _is_within(versions: VersionPredicate, value: str) -> bool:
    try:
        return versions.satisfied_by(value)
    except ValueError:  # the value is no version
        return False
