"""The limit of file descriptors is raised, never lowered."""

from __future__ import annotations

from resource import RLIM_INFINITY

from cells.cmd import descriptors
from tests.cases import each


@each(
    ("limits", "raised"),
    [
        ((1024, 524_288), (descriptors.MANY, 524_288)),
        ((1024, RLIM_INFINITY), (descriptors.MANY, RLIM_INFINITY)),
        ((1024, 4096), (4096, 4096)),
        ((4096, 4096), None),
        ((100_000, 524_288), None),
        ((RLIM_INFINITY, RLIM_INFINITY), None),
    ],
    ids=str,
)
def test_the_limit_is_raised_as_far_as_possible(limits: tuple[int, int], raised: tuple[int, int] | None) -> None:
    set_to: list[tuple[int, int]] = []
    descriptors.raise_limit(lambda _: limits, lambda _, new: set_to.append(new))
    assert set_to == ([] if raised is None else [raised])
