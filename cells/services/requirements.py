"""CellRequirements: the requirements of a service for the choice of a cell, forwarded from cell to cell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from oslo_utils.versionutils import VersionPredicate

from cells import exceptions
from cells.path import CellPath, check_name
from cells.services.validation import want

T = TypeVar("T")

#: A text that starts with one of these characters is a condition on a version.
OPERATORS = "<>=!"


@dataclass(frozen=True)
class CellRequirements:
    """Requirements of one call.  :func:`any_cell` checks the values and builds the object."""

    #: name of a capability -> alternatives, each a plain value or conditions on a version; the cell must have one
    requires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: name of a capacity -> amount that must be free
    size: Mapping[str, float] = field(default_factory=dict)
    #: the target cell: a full path or a plain name
    target: CellPath | None = None
    #: full paths of cells that must not be picked
    different_from: tuple[CellPath, ...] = ()
    #: for filters and weighers of other packages; JSON values
    hints: Mapping[str, Any] = field(default_factory=dict)
    #: names of the cells that have forwarded the requirements, the source first; managers set them
    walked: tuple[str, ...] = ()

    def passed_on_by(self, cell_name: str) -> CellRequirements:
        """Return the requirements that the cell ``cell_name`` sends to its child."""
        return replace(self, walked=(*self.walked, cell_name))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON values that travel."""
        values: dict[str, Any] = {
            "requires": {name: list(values) for name, values in self.requires.items()},
            "size": dict(self.size),
            "target": None if self.target is None else str(self.target),
            "different_from": [str(path) for path in self.different_from],
            "hints": dict(self.hints),
            "walked": list(self.walked),
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def from_dict(cls, data: object) -> CellRequirements:
        """Read a result of :meth:`to_dict`.

        An unknown key is an error: a release that ignored it could pick a cell that does not fulfil the requirement.

        :raises cells.exceptions.MalformedMessage: ``data`` is no object
        :raises cells.exceptions.InvalidArguments: a requirement is unknown or invalid
        """
        values = want(data, dict, "The requirements of a cell", exceptions.MalformedMessage)
        walked = _names(values.get("walked"))
        known = {"requires", "size", "target", "different_from", "hints"}
        unknown = sorted(str(key) for key in values.keys() - known - {"walked"})
        if unknown:
            raise exceptions.InvalidArguments(
                f"This release of cells does not know the requirements {', '.join(unknown)!r:.200}: upgrade this cell, "
                "or call without them."
            )
        return replace(any_cell(**{key: values[key] for key in known & values.keys()}), walked=walked)


def any_cell(
    requires: Mapping[str, str | Iterable[str]] | None = None,
    size: Mapping[str, float] | None = None,
    target: str | None = None,
    different_from: Iterable[str] | None = None,
    hints: Mapping[str, Any] | None = None,
) -> CellRequirements:
    """Require any cell, the caller's own or a cell below, that fulfils all of these; the best one is picked.

    :param requires: name of a capability -> required value, or list of alternatives of which the cell must have
        one.  A value that starts with an operator contains conditions on a version, and one announced value must
        fulfil all of them: ``{"hypervisor": "kvm", "hypervisor_version": ">=2.0,<3"}``
    :param size: name of a capacity -> amount that must be free: ``{"ram_mb": 2048}``; a dot leads into a nested
        object: ``{"ram_free.total_mb": 2048}``
    :param target: only this cell, a full path from the top or a plain name
    :param different_from: full paths of excluded cells: ``["api!east!az1"]``
    :param hints: values for filters and weighers of other packages
    :raises cells.exceptions.InvalidArguments: a requirement is invalid
    """
    return CellRequirements(
        requires={_name(name): _values(name, value) for name, value in _mapping(requires, "requires").items()},
        size={_name(name): _amount(name, value) for name, value in _mapping(size, "size").items()},
        target=None if target is None else _path(target, "target"),
        different_from=tuple(_path(path, "different_from") for path in _list(different_from, "different_from")),
        hints=_hints(hints),
    )


def is_version_range(value: str) -> bool:
    """Return whether a required value contains conditions on a version."""
    return value.startswith(tuple(OPERATORS))


def _mapping(value: object, key: str) -> Mapping[Any, Any]:
    return {} if value is None else want(value, Mapping, f"{key!r} of the required cell")  # type: ignore[type-abstract]


def _list(value: object, key: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise exceptions.InvalidArguments(f"{key!r} of the required cell must be a list, not {type(value).__name__}.")
    return list(value)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise exceptions.InvalidArguments(
            f"The names of required capabilities and sizes must be texts, not {name!r:.40}."
        )
    return name


def _values(name: str, value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else _list(value, name)
    if not values or not all(isinstance(item, str) and item.strip() for item in values):
        raise exceptions.InvalidArguments(
            f"The required {name} must be a text or a list of texts, like the values that cells announce, "
            f"not {value!r:.80}."
        )
    stripped = tuple(item.strip() for item in values)
    for item in stripped:
        if is_version_range(item):
            _check_range(name, item)
    return stripped


def _check_range(name: str, text: str) -> None:
    try:
        VersionPredicate(text)
    except ValueError as error:
        raise exceptions.InvalidArguments(
            f"The required {name} must contain conditions on a version like '>=2.0,<3' "
            f"(with <, <=, ==, !=, >= or >), not {text!r:.80}."
        ) from error


def _amount(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= sys.float_info.max:
        raise exceptions.InvalidArguments(
            f"The required size of {name} must be a number of 0 or more, not {value!r:.40}."
        )
    return value


def _path(text: object, key: str) -> CellPath:
    try:
        return CellPath.parse(text)
    except exceptions.MalformedMessage as error:
        raise exceptions.InvalidArguments(f"{key!r} of the required cell: {error.message}") from error


def _hints(value: object) -> Mapping[str, Any]:
    hints = dict(_mapping(value, "hints"))
    try:
        json.dumps(hints, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise exceptions.InvalidArguments(f"'hints' cannot be written as JSON: {error}") from error
    if not all(isinstance(name, str) for name in hints):
        raise exceptions.InvalidArguments("The names of 'hints' must be texts.")
    return hints


def _names(value: object) -> tuple[str, ...]:
    try:
        return tuple(check_name(name) for name in _list(value, "walked"))
    except exceptions.InvalidNeighbor as error:
        raise exceptions.InvalidArguments(f"'walked' of the required cell: {error.message}") from error
