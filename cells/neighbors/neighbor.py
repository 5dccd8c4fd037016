"""The validated row of one neighbor, independent of any database.

The database, the JSON file of ``[cells] cells_config`` and the operator's commands create the rows; the drivers and
the manager read them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cells import exceptions, path
from cells.transport import link_options
from cells.transport import url as transport_url

MAX_TEXT_LENGTH = 255
MAX_URL_BYTES = 65535  #: the size of MariaDB's TEXT


@dataclass(frozen=True)
class Neighbor:
    """One adjacent cell and the address of its broker.

    :raises cells.exceptions.InvalidNeighbor: a value is invalid
    """

    name: str
    transport_url: str = dataclasses.field(repr=False)
    is_parent: bool
    driver: str = "rpc"
    api_url: str | None = None
    weight_offset: float = 0.0
    weight_scale: float = 1.0
    #: As the operator wrote it; None: the cap of all neighbors applies.  The meaning of the text depends on the
    #: release, so users of the row call :mod:`cells.versions`.
    version_cap: str | None = None

    def __post_init__(self) -> None:
        path.check_name(self.name)
        if not isinstance(self.is_parent, bool):
            raise self._invalid(f"is_parent must be true or false, not {self.is_parent!r:.40}")
        self._check_texts()
        self._check_weights()

    def _check_texts(self) -> None:
        try:
            url = transport_url.parse(self.transport_url)
            transport_url.check_usable(url)
            transport_url.check_neighbor(url)
            link_options.check(url)
        except exceptions.InvalidNeighbor as error:
            raise self._invalid(error.message.rstrip(".")) from None
        if len(self.transport_url.encode()) > MAX_URL_BYTES:
            raise self._invalid(f"its transport URL is longer than {MAX_URL_BYTES} bytes")
        texts = {"driver": self.driver} if self.api_url is None else {"driver": self.driver, "api_url": self.api_url}
        for key, text in texts.items():
            if not isinstance(text, str) or not text or not text.isprintable() or len(text) > MAX_TEXT_LENGTH:
                raise self._invalid(f"{key} must be a text of 1 to {MAX_TEXT_LENGTH} printable characters")
        cap = self.version_cap
        if cap is not None and not (isinstance(cap, str) and cap.isprintable() and len(cap) <= MAX_TEXT_LENGTH):
            raise self._invalid(
                f'version_cap must be a text, such as "1.1", of at most {MAX_TEXT_LENGTH} printable characters'
            )

    def _check_weights(self) -> None:
        for key in ("weight_offset", "weight_scale"):
            weight = getattr(self, key)
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not _is_finite(weight):
                raise self._invalid(f"{key} must be a finite number, not {weight!r:.40}")
            object.__setattr__(self, key, float(weight))

    def _invalid(self, problem: str) -> exceptions.InvalidNeighbor:
        return exceptions.InvalidNeighbor(f"Neighbor {self.name!r}: {problem}.", cell=self.name)

    def __repr__(self) -> str:
        shown = {**self.as_dict(), "transport_url": transport_url.mask(self.transport_url)}
        return f"Neighbor({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    @classmethod
    def from_mapping(cls, name: str, mapping: Mapping[str, Any]) -> Neighbor:
        """Return the row of an entry of the JSON file: ``{"transport_url": "rabbit://...", "is_parent": false}``.

        :raises cells.exceptions.InvalidNeighbor: a key is unknown or missing, or a value is invalid
        """
        path.check_name(name)
        if not isinstance(mapping, Mapping):
            raise exceptions.InvalidNeighbor(f"Neighbor {name!r} must be an object with the columns of its row.")
        check_columns(name, mapping)
        missing = sorted({"transport_url", "is_parent"} - mapping.keys())
        if missing:
            raise exceptions.InvalidNeighbor(f"Neighbor {name!r} lacks {' and '.join(missing)}.", cell=name)
        if mapping.get("name", name) != name:
            raise exceptions.InvalidNeighbor(
                f"Neighbor {name!r} is called {mapping['name']!r:.80} in its own row.", cell=name
            )
        return cls(**{**mapping, "name": name})

    def as_dict(self) -> dict[str, Any]:
        """Return the columns and their values, including the password in the transport URL."""
        return dataclasses.asdict(self)


#: The columns of a row, in their display order.
COLUMNS = tuple(field.name for field in dataclasses.fields(Neighbor))


def check_columns(name: str, mapping: Mapping[str, Any]) -> None:
    """Check that each key of ``mapping`` is a column of a row.

    :raises cells.exceptions.InvalidNeighbor: a key is no column, for example misspelled
    """
    unknown = sorted(str(key) for key in mapping if key not in COLUMNS)
    if unknown:
        raise exceptions.InvalidNeighbor(
            f"Neighbor {name!r} has no column {', '.join(unknown)}; there are: {', '.join(COLUMNS)}.", cell=name
        )


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
