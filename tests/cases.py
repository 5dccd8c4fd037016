"""``each``: one test for a table of cases.  The test checks all cases and names each case that failed.

It takes the arguments of ``pytest.mark.parametrize`` and is for checks of microseconds: as a test of its own, each
case takes pytest a thousand times as long to collect, run and report.  Fixtures are created once for all cases, so
use ``parametrize`` for a test that changes its fixtures.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

Check = Callable[..., None]
Naming = Callable[[Any], object]

_Param = type(pytest.param())
#: ``pytest.fail``, and a ``pytest.raises`` without the expected error, raise no subclass of Exception.
_FAILURES = (Exception, pytest.fail.Exception)
_SHOWN_CHARACTERS = 60


def each(names: str | Sequence[str], values: Iterable[Any], ids: Naming | None = None) -> Callable[[Check], Check]:
    """Decorate a test: it is called with each of ``values``, and fails once, after the last call.

    As with ``parametrize``, several decorators check all combinations.

    :param names: the names of the arguments, in one text or several
    :param values: a value for each case; with several names, a sequence of values
    :param ids: converts a value to text, for the name of a failed case
    """
    columns = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
    table = [_row(columns, value) for value in values]
    assert table, "A table without cases checks nothing"

    def decorate(check: Check) -> Check:
        # A test that is decorated already gets the combinations of both tables.
        function, tables = getattr(check, "_each", (check, []))
        tables = [(table, ids), *tables]

        @functools.wraps(check)
        def check_all(*arguments: Any, **fixtures: Any) -> None:
            failed = []
            for count, (name, case) in enumerate(_cases(tables), 1):  # noqa: B007  # the number of cases
                try:
                    function(*arguments, **fixtures, **case)
                except _FAILURES as error:
                    failed.append((name, error))
            if failed:
                lines = [f"[{name()}] {type(error).__name__}: {error}" for name, error in failed]
                raise AssertionError("\n".join([f"{len(failed)} of {count} cases failed:", *lines])) from failed[0][1]

        signature = inspect.signature(check)
        left = [parameter for name, parameter in signature.parameters.items() if name not in columns]
        assert len(left) == len(signature.parameters) - len(columns), f"{check.__name__} does not take {columns}"
        check_all.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]  # pytest reads it
        check_all._each = function, tables  # type: ignore[attr-defined]
        return check_all

    return decorate


def _row(columns: Sequence[str], value: Any) -> Mapping[str, Any]:
    if isinstance(value, _Param):
        assert not value.marks, "A case of each() cannot have a mark: use parametrize"
        return dict(zip(columns, value.values, strict=True))
    return dict(zip(columns, value, strict=True)) if len(columns) > 1 else {columns[0]: value}


def _cases(
    tables: Sequence[tuple[Sequence[Mapping[str, Any]], Naming | None]],
) -> Iterator[tuple[Callable[[], str], dict[str, Any]]]:
    """Yield each combination with a function that formats its name, which is needed only for failures."""
    for rows in itertools.product(*(table for table, _ in tables)):
        case = {name: value for row in rows for name, value in row.items()}
        namings = {name: ids for row, (_, ids) in zip(rows, tables, strict=True) for name in row}
        yield functools.partial(_name, case, namings), case


def _name(case: Mapping[str, Any], namings: Mapping[str, Naming | None]) -> str:
    return ", ".join(f"{name}={_shown(value, namings[name])}" for name, value in case.items())


def _shown(value: Any, ids: Naming | None) -> str:
    text = str(ids(value)) if ids else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
