"""Scheduler: rejects candidates and ranks the rest, best first.  Pure except for the random order of equals."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells import exceptions
from cells.scheduler.base import CellFilter, CellWeigher
from cells.scheduler.candidates import Candidate
from cells.services.requirements import CellRequirements

LOG = logging.getLogger(__name__)

#: Bound of the weight of one weigher, so that sums stay finite.
MAX_WEIGHT = 1e300


@dataclass(frozen=True)
class Ranking:
    """Result of the scheduler."""

    chosen: list[Candidate]  #: best first
    rejected: dict[str, str]  #: full path -> reason


class Scheduler:
    """The filters and weighers of one manager.  Thread-safe."""

    def __init__(
        self,
        filters: Sequence[CellFilter],
        weighers: Sequence[CellWeigher],
        multipliers: Mapping[str, float] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """:param multipliers: name of a weigher -> multiplier of its weights, instead of its default
        :param chance: source of the random order of equal candidates
        :raises cells.exceptions.ConfigurationError: a multiplier names an unknown weigher or is no finite number
        """
        self._filters = tuple(filters)
        self._weighers = tuple(weighers)
        multipliers = dict(multipliers or {})
        self._multipliers = [multipliers.pop(weigher.name, weigher.default_multiplier) for weigher in self._weighers]
        if multipliers:
            raise exceptions.ConfigurationError(
                f"[cells_scheduler] weight_multipliers names {', '.join(sorted(multipliers))}, "
                "but [cells_scheduler] weighers does not: correct one of the two options."
            )
        for weigher, multiplier in zip(self._weighers, self._multipliers, strict=True):
            # oslo.config gives None for a number that was left empty.
            if multiplier is None or not math.isfinite(multiplier):
                raise exceptions.ConfigurationError(
                    f"[cells_scheduler] weight_multipliers: the multiplier of {weigher.name} must be a finite number."
                )
        self._chance = chance or random.Random()  # noqa: S311  # no secret depends on it

    def rank(self, candidates: Sequence[Candidate], requirements: CellRequirements) -> Ranking:
        """Rank ``candidates``, best first; candidates of equal weight in random order."""
        chosen: list[Candidate] = []
        rejected: dict[str, str] = {}
        for candidate in candidates:
            reason = self._reason(candidate, requirements)
            if reason is None:
                chosen.append(candidate)
            else:
                rejected[str(candidate.path)] = reason
        self._chance.shuffle(chosen)
        weights = self._weights(chosen, requirements)
        order = sorted(range(len(chosen)), key=weights.__getitem__, reverse=True)
        return Ranking([chosen[index] for index in order], rejected)

    def _reason(self, candidate: Candidate, requirements: CellRequirements) -> str | None:
        for cell_filter in self._filters:
            try:
                reason = cell_filter.reject(candidate, requirements)
            except Exception as error:  # a filter of another package may raise anything
                LOG.exception(
                    "The filter %s failed for cell %s; the cell is rejected.", cell_filter.name, candidate.path
                )
                return f"the filter {cell_filter.name} failed: {type(error).__name__}: {error}"
            if reason is not None:
                LOG.debug("The filter %s rejects cell %s: %s.", cell_filter.name, candidate.path, reason)
                return str(reason) or f"the filter {cell_filter.name} rejects it"
        return None

    def _weights(self, candidates: Sequence[Candidate], requirements: CellRequirements) -> list[float]:
        totals = [0.0] * len(candidates)
        for weigher, multiplier in zip(self._weighers, self._multipliers, strict=True):
            weights = [_weigh(weigher, candidate, requirements) for candidate in candidates]
            if weigher.is_normalized:
                weights = _normalized(weights)
            for index, weight in enumerate(weights):
                if weight is not None:
                    totals[index] += max(-MAX_WEIGHT, min(MAX_WEIGHT, weight * multiplier))
        return totals


def _weigh(weigher: CellWeigher, candidate: Candidate, requirements: CellRequirements) -> float | None:
    """Return the raw weight; None if the weigher raises or returns no finite number."""
    try:
        weight = float(weigher.weigh(candidate, requirements))
    except Exception:  # a weigher of another package may raise anything
        LOG.exception("The weigher %s failed for cell %s; it adds 0.", weigher.name, candidate.path)
        return None
    if not math.isfinite(weight):
        LOG.error("The weigher %s returned %r for cell %s; it adds 0.", weigher.name, weight, candidate.path)
        return None
    return weight


def _normalized(weights: Sequence[float | None]) -> list[float | None]:
    """Scale the weights to 0 (smallest) to 1 (largest); equal weights all become 0."""
    known = [weight for weight in weights if weight is not None]
    if not known:
        return list(weights)
    # Halves, because the difference of two floats may exceed the range of floats.
    low, high = min(known) / 2, max(known) / 2
    span = high - low
    return [None if weight is None else (weight / 2 - low) / span if span else 0.0 for weight in weights]
