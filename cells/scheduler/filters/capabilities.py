"""capabilities: only cells that announce what is required, version ranges included."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_utils.versionutils import VersionPredicate

from cells.scheduler.base import CellFilter
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements, is_version_range


class RequiredCapabilities(CellFilter):
    """Rejects a cell that lacks one of the required capabilities."""

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        for name, required in requirements.requires.items():
            announced = [str(value) for value in candidate.capabilities.get(name, ())]
            if not any(_has(announced, value) for value in required):
                told = f"announces {name} {' and '.join(announced)}" if announced else f"announces no {name}"
                return f"it {told}, not {' or '.join(required)}"
        return None


def _has(announced: Sequence[str], required: str) -> bool:
    if not is_version_range(required):
        return required in announced
    versions = VersionPredicate(required)
    return any(_is_within(versions, value) for value in announced)


def _is_within(versions: VersionPredicate, value: str) -> bool:
    try:
        return versions.satisfied_by(value)
    except ValueError:  # it is no version
        return False
