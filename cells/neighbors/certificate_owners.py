"""Check that each registered certificate belongs to one cell: the certificate of a connection is the neighbor's name.

The database, the file of neighbors and the operator's commands check here before they accept a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cells import exceptions

if TYPE_CHECKING:
    from cells.certificates.certificate import Certificate


def check(name: str, certificates: Iterable[Certificate], owners: Mapping[Certificate, str]) -> None:
    """Check that no certificate of the neighbor ``name`` belongs to another cell.

    :param owners: known certificates, with the names of their cells
    :raises cells.exceptions.InvalidNeighbor: another cell has one; the error names that cell
    """
    for one in certificates:
        try:
            one.check_is_of_one_cell(owners, name)
        except exceptions.CertificateError as error:
            raise exceptions.InvalidNeighbor(f"Neighbor {name!r}: {error.message}", cell=name) from None
