"""``each``: one test for a whole table of cases, which checks them all and names every one that failed.

It takes what ``pytest.mark.parametrize`` takes, and is for checks of microseconds: pytest needs a thousand times as
long to collect, run and report a test of its own for each case.  Fixtures are made once for all cases, so
a test that changes what a fixture gave it is for ``parametrize``.
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
#: ``pytest.fail`` and a ``pytest.raises`` that nothing was raised in are not of Exception.
_FAILURES = (Exception, pytest.fail.Exception)
_SHOWN_CHARACTERS = 60


def each(names: str | Sequence[str], values: Iterable[Any], ids: Naming | None = None) -> Callable[[Check], Check]:
    """Decorate a test: it is called with each of ``values``, and fails once, after the last.

    As with ``parametrize``, several make all combinations.

    :param names: of the arguments, in one text or several
    :param values: one for each case, or a sequence of them if there are several names
    :param ids: how to name a value where a case failed
    """
    columns = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
    table = [_row(columns, value) for value in values]
    assert table, "A table without a case checks nothing"

    def decorate(check: Check) -> Check:
        # Where there is one already, that one's cases are combined with these, and the test is still one.
        function, tables = getattr(check, "_each", (check, []))
        tables = [(table, ids), *tables]

        @functools.wraps(check)
        def check_all(*arguments: Any, **fixtures: Any) -> None:
            failed = []
            for count, (name, case) in enumerate(_cases(tables), 1):  # noqa: B007  # it is how many there were
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
        assert not value.marks, "A mark is for a test of its own"
        return dict(zip(columns, value.values, strict=True))
    return dict(zip(columns, value, strict=True)) if len(columns) > 1 else {columns[0]: value}


def _cases(
    tables: Sequence[tuple[Sequence[Mapping[str, Any]], Naming | None]],
) -> Iterator[tuple[Callable[[], str], dict[str, Any]]]:
    """Each combination, and what makes its name: most are never asked for."""
    for rows in itertools.product(*(table for table, _ in tables)):
        case = {name: value for row in rows for name, value in row.items()}
        namings = {name: ids for row, (_, ids) in zip(rows, tables, strict=True) for name in row}
        yield functools.partial(_name, case, namings), case


def _name(case: Mapping[str, Any], namings: Mapping[str, Naming | None]) -> str:
    return ", ".join(f"{name}={_shown(value, namings[name])}" for name, value in case.items())


def _shown(value: Any, ids: Naming | None) -> str:
    text = str(ids(value)) if ids else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
