"""Columns of a row for direct links: the addresses, the certificates and the path of a neighbor.

:class:`~cells.neighbors.neighbor.Neighbor` reads them here.  ``cryptography`` is slow to import, and rows without
certificates do not need it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cells import exceptions
from cells.path import CellPath
from cells.transport import socket_address

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate

#: the driver of direct links; its rows need no transport URL
DIRECT = "direct"
MAX_ADDRESSES = 32  #: each one is dialed again and again
MAX_CERTIFICATES = 8
#: texts of certificates whose meaning is remembered
MAX_CACHED_TEXTS = 4096
#: a manager listens at every address of its host at these; another manager cannot connect to them
_WILDCARDS = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  # refused here
_ADVICE = "write the addresses of its managers as 10.0.0.5:5680,10.0.0.6:5680, each one [cells_direct] listen there"


def read_addresses(text: object) -> tuple[str, ...]:
    """Return the addresses of a list of ``host:port``, separated by commas, at least one.

    :raises cells.exceptions.InvalidNeighbor: the text is no such list
    """
    if not isinstance(text, str):
        raise exceptions.InvalidNeighbor(f"addresses must be a text: {_ADVICE}.")
    found = tuple(dict.fromkeys(one.strip() for one in text.split(",")))
    for address in found:
        _check_address(address)
    if len(found) > MAX_ADDRESSES:
        raise exceptions.InvalidNeighbor(f"There are {len(found)} addresses, and at most {MAX_ADDRESSES} are possible.")
    return found


def read_certificates(text: object) -> tuple[Certificate, ...]:
    """Return the different certificates of a PEM text, at least one.  Their dates are not checked.

    :raises cells.exceptions.InvalidNeighbor: the text has no certificate, a private key, a damaged certificate, one
        of an authority, or too many.  The error does not contain the text.
    """
    if not isinstance(text, str):
        raise exceptions.InvalidNeighbor("certificates must be a text with certificates in PEM.")
    return _certificates_of(text)


# Each reload reads the rows of all neighbors again, and few texts have changed.
@functools.lru_cache(MAX_CACHED_TEXTS)
def _certificates_of(text: str) -> tuple[Certificate, ...]:
    from cells.certificates import certificate  # noqa: PLC0415  # slow to import

    try:
        found = tuple(dict.fromkeys(certificate.read(text.encode(errors="replace"), "The text of its certificates")))
        for one in found:
            one.check_is_of_a_cell()
    except exceptions.CertificateError as error:
        raise exceptions.InvalidNeighbor(error.message) from None
    if len(found) > MAX_CERTIFICATES:
        raise exceptions.InvalidNeighbor(
            f"There are {len(found)} certificates, and at most {MAX_CERTIFICATES} are possible: register those that "
            "the neighbor uses now, and the next one."
        )
    return found


def read_path(text: object, name: str) -> str:
    """Return the path that a certificate of the neighbor ``name`` must contain.

    :raises cells.exceptions.InvalidNeighbor: it is no path, or the path of another cell
    """
    try:
        path = CellPath.parse(text)
    except exceptions.MalformedMessage as error:
        raise exceptions.InvalidNeighbor(
            f"certificate_path must be the path in the neighbor's certificate, from the root of the tree: "
            f"{error.message}"
        ) from None
    if path.last != name:
        raise exceptions.InvalidNeighbor(
            f"certificate_path is the path of {path.last}, and must end with the name of the neighbor, {name}."
        )
    return str(path)


def _check_address(address: str) -> None:
    try:
        host, port = socket_address.split(address)
    except exceptions.ConfigurationError:
        host, port = "", 0
    if not host or not port or not host.isprintable() or " " in host:
        raise exceptions.InvalidNeighbor(f"addresses has {address!r:.300}, which is no host and port: {_ADVICE}.")
    if host in _WILDCARDS:
        raise exceptions.InvalidNeighbor(f"addresses has the wildcard {address!r:.40}: {_ADVICE}.")
