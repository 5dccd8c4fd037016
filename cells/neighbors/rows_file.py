"""The file of neighbors: an object from name to row, in YAML or in JSON.

``[cells] cells_config`` names such a file, ``cells neighbor export`` writes it, ``cells neighbor import`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cells import exceptions
from cells.neighbors import certificate_owners
from cells.neighbors.neighbor import COLUMNS, Neighbor

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate

#: Columns that are written also if they have their default.
_ALWAYS = ("transport_url", "is_parent", "driver")


def read(text: str, where: str) -> list[Neighbor]:
    """Return the rows of a file.

    :param where: the file, for error texts
    :raises cells.exceptions.ConfigurationError: the text is neither JSON nor YAML, or rows are invalid; the error names
        each of them, and contains no password
    """
    try:
        data = _parse(text)
    except (ValueError, RecursionError) as error:
        raise exceptions.ConfigurationError(f"The neighbors cannot be read from {where}: {error}") from None
    if not isinstance(data, dict):
        raise exceptions.ConfigurationError(
            f"{where} must hold an object, in YAML or JSON, that maps names of cells to rows, not "
            f"{type(data).__name__}."
        )
    rows: list[Neighbor] = []
    owners: dict[Certificate, str] = {}
    problems: list[str] = []
    for name, mapping in data.items():
        try:
            row = Neighbor.from_mapping(name, mapping)
            certificate_owners.check(row.name, row.certificate_list, owners)
            owners.update(dict.fromkeys(row.certificate_list, row.name))
            rows.append(row)
        except exceptions.InvalidNeighbor as error:
            problems.append(error.message)
    if problems:
        raise exceptions.ConfigurationError(f"{where}: {' '.join(problems)}")
    return rows


def write(rows: Iterable[Neighbor]) -> str:
    """Return the rows as YAML, without the columns that have their defaults.  The text contains passwords."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  # few commands need it; its types are elsewhere

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # the library has no types
        """Writes a certificate with a line for each of its lines."""

    def represent(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, represent)
    data = {row.name: _without_defaults(row) for row in rows}
    text: str = yaml.dump(data, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=1000)
    return text


def _without_defaults(row: Neighbor) -> dict[str, Any]:
    default = Neighbor(row.name, row.transport_url, row.is_parent, driver=row.driver)
    return {
        column: getattr(row, column)
        for column in COLUMNS[1:]
        if column in _ALWAYS or getattr(row, column) != getattr(default, column)
    }


def _parse(text: str) -> object:
    """Return the value of a text in JSON or YAML.

    :raises ValueError: it is neither; the error does not quote it
    :raises RecursionError: it is nested too deeply
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        if text.lstrip()[:1] in ("", "{", "["):
            # YAML can be written like this, too, but such a file is meant to be JSON.
            raise ValueError(str(error)) from None
    return _parse_yaml(text)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r:.80} is there twice")
        found[key] = value
    return found


def _parse_yaml(text: str) -> object:
    import yaml  # noqa: PLC0415  # slow to import, and files in JSON do not need it

    # The loader in C is ten times as fast: a manager reads the file again and again.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_nodes(root)
        value: object = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        # A quotation may be a part of a password.
        problem = (error.problem or "it is no YAML").partition("'")[0].strip()
        raise ValueError(f"{problem}{place}") from None
    except yaml.YAMLError:
        raise ValueError("it has characters that YAML does not allow") from None
    finally:
        loader.dispose()
    return value


def _check_nodes(root: Any) -> None:
    """Check that no key is there twice, and that no value is used twice: such values can grow without bound.

    :raises ValueError: one is
    """
    seen: set[int] = set()
    unseen = [root]
    while unseen:
        node = unseen.pop()
        place = f"(line {node.start_mark.line + 1})"
        if id(node) in seen:
            raise ValueError(f"it has an alias {place}: write the value once more")
        seen.add(id(node))
        if isinstance(node.value, str):
            continue
        is_mapping = bool(node.value) and isinstance(node.value[0], tuple)
        if is_mapping:
            _check_keys([key.value for key, _ in node.value if isinstance(key.value, str)], place)
        unseen.extend(part for pair in node.value for part in pair) if is_mapping else unseen.extend(node.value)


def _check_keys(keys: Iterable[str], place: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {key!r:.80} is there twice {place}")
        seen.add(key)
