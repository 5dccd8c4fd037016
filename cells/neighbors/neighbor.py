"""The validated row of one neighbor, independent of any database.

The database, the JSON file of ``[cells] cells_config`` and the operator's commands create the rows; the drivers and
the manager read them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cells import exceptions, path
from cells.deadlines import LONGEST_SECONDS
from cells.neighbors import direct_columns
from cells.transport import link_options
from cells.transport import url as transport_url

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate

MAX_TEXT_LENGTH = 255
MAX_BYTES = 65535  #: the size of MariaDB's TEXT


@dataclass(frozen=True)
class Neighbor:
    """One adjacent cell, and the address of its broker or of its managers.

    :raises cells.exceptions.InvalidNeighbor: a value is invalid
    """

    name: str
    #: empty only for the driver ``direct``
    transport_url: str = dataclasses.field(repr=False)
    is_parent: bool
    driver: str = "rpc"
    api_url: str | None = None
    weight_offset: float = 0.0
    weight_scale: float = 1.0
    #: As the operator wrote it; None: the cap of all neighbors applies.  The meaning of the text depends on the
    #: release, so users of the row call :mod:`cells.versions`.
    version_cap: str | None = None
    #: patterns of the endpoints and services that the neighbor may call, see :func:`read_patterns`; None: all
    allowed_methods: str | None = None
    #: the longest time that this cell works on one message of the neighbor; None: [cells] max_foreign_seconds
    max_foreign_seconds: float | None = None
    #: ``host:port`` of its managers, separated by commas, for direct links; None: the neighbor dials in
    addresses: str | None = None
    #: the neighbor's own certificates in PEM, for direct links: several during a rotation
    certificates: str | None = None
    #: the path that a certificate of the neighbor must contain if an authority of [cells_direct] ca signed it
    certificate_path: str | None = None
    #: a further driver over which messages of the neighbor are accepted, while a link moves to another driver
    also_accept: str | None = None

    def __post_init__(self) -> None:
        path.check_name(self.name)
        if not isinstance(self.is_parent, bool):
            raise self._invalid(f"is_parent must be true or false, not {self.is_parent!r:.40}")
        self._check_url()
        self._check_texts()
        self._check_weights()
        self._check_limits()
        self._check_direct_link()

    @functools.cached_property
    def address_list(self) -> tuple[str, ...]:
        """``host:port`` of each of its managers; empty: none is known."""
        return () if self.addresses is None else direct_columns.read_addresses(self.addresses)

    @functools.cached_property
    def certificate_list(self) -> tuple[Certificate, ...]:
        """The registered certificates; empty: none is registered."""
        return () if self.certificates is None else direct_columns.read_certificates(self.certificates)

    @property
    def way(self) -> tuple[str, str]:
        """Its driver and URL: how messages for it are sent."""
        return self.driver, self.transport_url

    @property
    def dials_in(self) -> bool:
        """Whether the link is direct and only the neighbor opens its connections."""
        return self.is_direct and self.addresses is None

    @property
    def is_direct(self) -> bool:
        """Whether its name is proven by its certificate."""
        return self.driver == direct_columns.DIRECT

    def may_send_over(self, driver: str) -> bool:
        """Return whether messages of the neighbor are accepted over a driver."""
        return driver in (self.driver, self.also_accept)

    def is_at_the_place_of(self, other: Neighbor) -> bool:
        """Return whether both rows lead to one broker.  A direct link leads to the cell with its certificate alone."""
        return not (self.is_direct or other.is_direct) and self.transport_url == other.transport_url

    def _check_direct_link(self) -> None:
        changes: dict[str, str] = {}
        try:
            if self.addresses is not None:
                changes["addresses"] = ",".join(self.address_list)
            if self.certificates is not None:
                changes["certificates"] = "".join(one.pem for one in self.certificate_list)
            if self.certificate_path is not None:
                changes["certificate_path"] = direct_columns.read_path(self.certificate_path, self.name)
        except exceptions.InvalidNeighbor as error:
            raise self._invalid(error.message.rstrip(".")) from None
        for column, text in changes.items():
            if len(text.encode()) > MAX_BYTES:
                raise self._invalid(f"{column} is longer than {MAX_BYTES} bytes")
            object.__setattr__(self, column, text)

    def _check_limits(self) -> None:
        if self.allowed_methods is not None:
            try:
                object.__setattr__(self, "allowed_methods", read_patterns(self.allowed_methods))
            except exceptions.InvalidNeighbor as error:
                raise self._invalid(error.message.rstrip(".")) from None
        seconds = self.max_foreign_seconds
        if seconds is None:
            return
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 1 <= seconds <= LONGEST_SECONDS:
            raise self._invalid(f"max_foreign_seconds must be a number from 1 to {LONGEST_SECONDS:.0f}")
        object.__setattr__(self, "max_foreign_seconds", float(seconds))

    def _check_url(self) -> None:
        if self.is_direct and self.transport_url == "":
            return
        try:
            url = transport_url.parse(self.transport_url)
            transport_url.check_usable(url)
            transport_url.check_neighbor(url)
            link_options.check(url)
        except exceptions.InvalidNeighbor as error:
            raise self._invalid(error.message.rstrip(".")) from None
        if len(self.transport_url.encode()) > MAX_BYTES:
            raise self._invalid(f"its transport URL is longer than {MAX_BYTES} bytes")

    def _check_texts(self) -> None:
        for key in ("driver", "api_url", "also_accept"):
            text = getattr(self, key)
            if text is None and key != "driver":
                continue
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
        shown = {
            **self.as_dict(),
            "transport_url": transport_url.mask(self.transport_url),
            "certificates": [one.fingerprint for one in self.certificate_list],
        }
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
        defaults = {"transport_url": ""} if mapping.get("driver") == direct_columns.DIRECT else {}
        missing = sorted({"transport_url", "is_parent"} - mapping.keys() - defaults.keys())
        if missing:
            raise exceptions.InvalidNeighbor(f"Neighbor {name!r} lacks {' and '.join(missing)}.", cell=name)
        if mapping.get("name", name) != name:
            raise exceptions.InvalidNeighbor(
                f"Neighbor {name!r} is called {mapping['name']!r:.80} in its own row.", cell=name
            )
        return cls(**{**defaults, **mapping, "name": name})

    def as_dict(self) -> dict[str, Any]:
        """Return the columns and their values, including the password in the transport URL."""
        return dataclasses.asdict(self)


#: The columns of a row, in their display order.
COLUMNS = tuple(field.name for field in dataclasses.fields(Neighbor))


def read_patterns(text: object) -> str:
    """Return the patterns of a row in their stored form, separated by commas; empty: none.

    A pattern is ``METHOD``, a method of an endpoint, or ``TOPIC:METHOD`` or ``EXCHANGE/TOPIC:METHOD``, a method of a
    service, with the wildcards ``*`` and ``?``.

    :raises cells.exceptions.InvalidNeighbor: the text is no list of patterns
    """
    patterns = [pattern.strip() for pattern in text.split(",")] if isinstance(text, str) else [" "]
    for pattern in filter(None, patterns):
        exchange, slash, rest = pattern.rpartition("/")
        topic, colon, method = rest.partition(":")
        is_complete = bool(topic) and (not slash or bool(exchange and colon)) and (not colon or bool(method))
        if not is_complete or len(pattern.split()) != 1 or not pattern.isprintable():
            raise exceptions.InvalidNeighbor(
                f"allowed_methods has {pattern!r:.80}, which is no METHOD, TOPIC:METHOD or EXCHANGE/TOPIC:METHOD."
            )
    if not isinstance(text, str) or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise exceptions.InvalidNeighbor(f"allowed_methods must be a text of at most {MAX_BYTES} bytes.")
    return ",".join(filter(None, patterns))


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
