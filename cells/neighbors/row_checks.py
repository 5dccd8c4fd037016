"""Checks of a row against this cell and against the packages that are installed here.

:class:`cells.neighbors.neighbor.Neighbor` checks the values of a row alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from cells import exceptions, path, versions
from cells.neighbors import certificate_owners, direct_columns
from cells.transport import url as transport_url


def check_drivers(*names: str | None) -> None:
    """Check that the drivers are installed.

    :raises cells.exceptions.InvalidNeighbor: one is not
    """
    for name in filter(None, names):
        _check_installed("driver", name, "cells.drivers")


def check_version_cap(cap: str | None) -> None:
    """Check that this release can read the cap.

    :raises cells.exceptions.InvalidNeighbor: it cannot
    """
    try:
        versions.read_cap(versions.AUTO if cap is None else cap)
    except exceptions.ConfigurationError as error:
        raise exceptions.InvalidNeighbor(f"The version cap {error.message} 'none' removes the cap.") from error


def check_transport(driver: str, url: str) -> None:
    """Check, for the driver "rpc", that oslo.messaging has a transport of the scheme of ``url``.

    :raises cells.exceptions.InvalidNeighbor: it has no such transport, or ``url`` is not a transport URL, or empty for
        a driver that needs one
    """
    if not url and driver != direct_columns.DIRECT:
        raise exceptions.InvalidNeighbor(
            f"The driver {driver!r:.40} needs the broker of the neighbor: give its transport URL (--transport-url), or "
            "the parts of it."
        )
    if driver != "rpc":
        return
    parsed = transport_url.parse(url)
    _check_installed("transport", parsed.transport.partition("+")[0], "oslo.messaging.drivers")
    transport_url.check_usable(parsed)


def check_is_another_cell(name: str, own_name: str | None) -> None:
    """Check that ``name`` is not the name of this cell.

    :param own_name: [cells] name
    :raises cells.exceptions.InvalidNeighbor: it is
    :raises cells.exceptions.ConfigurationError: this cell has no name
    """
    if own_name is None:
        raise exceptions.ConfigurationError("[cells] name is not set: set the name of this cell first.")
    if name == path.check_name(own_name):
        raise exceptions.InvalidNeighbor(
            f"{name} is the name of this cell: a cell cannot be its own neighbor.", cell=name
        )


def check_certificates(name: str, given: Mapping[str, Any], own_file: str) -> None:
    """Check that no certificate of the neighbor is that of this cell, if this user can read that.

    :param given: columns to write
    :param own_file: file with the certificate of this cell
    :raises cells.exceptions.InvalidNeighbor: a certificate is that of this cell
    """
    if given.get("certificates") is None:
        return
    from cells.certificates import certificate  # noqa: PLC0415  # slow to import

    try:
        own = certificate.read_file(Path(own_file))
    except exceptions.ConfigurationError:
        return  # The cell has none yet, or only its managers can read it.
    found = direct_columns.read_certificates(given["certificates"])
    certificate_owners.check(name, found, dict.fromkeys(own, "this cell"))


def _check_installed(noun: str, name: str, group: str) -> None:
    known = sorted({entry.name for entry in metadata.entry_points(group=group)})
    if name not in known:
        raise exceptions.InvalidNeighbor(f"There is no {noun} {name!r:.40}; installed {noun}s: {', '.join(known)}.")
