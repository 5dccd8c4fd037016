"""Names that several cells of the tree have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cells import exceptions
from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found
from cells.doctor.routes import path_of


class CellNameCheck(Check):
    """The names in the answers of all cells below and above to one ping."""

    name = "cell names"

    def run(self, case: Case) -> Iterable[Finding]:
        if not case.has_manager():
            return
        own = case.path
        paths: defaultdict[str, set[str]] = defaultdict(set)
        paths[case.name].add(own)
        for answer in case.pings().answers:
            if answer.error is None or not isinstance(answer.error, exceptions.DuplicateMessageError):
                path = path_of(own, answer)
                paths[path.last].add(str(path))
        for name, found_at in sorted(paths.items()):
            if len(found_at) > 1:
                listed = ", ".join(sorted(found_at))
                text = f"{len(found_at)} cells are called {name}: {listed}. A call to {name} is refused."
                yield found("ambiguous_name", text, name, evidence="answers to a ping of all cells")
