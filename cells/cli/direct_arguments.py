"""Command line options for the columns of a direct link, and how its certificates are shown."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import exceptions, printable
from cells.cli import base
from cells.neighbors import direct_columns
from cells.neighbors.neighbor import Neighbor

#: value of an option that removes the registered values
NONE = "none"
#: characters of a fingerprint and of a subject in a table
_SHORT_FINGERPRINT, _SHORT_SUBJECT = 23, 80


class Certificates(base.JSONColumn):
    """Column of the certificates of a neighbor: their fingerprints, in a table with subject and end.

    :param is_short: show a part of each fingerprint alone
    """

    def __init__(self, row: Neighbor, *, is_short: bool) -> None:
        super().__init__([one.fingerprint for one in row.certificate_list])
        self._lines = [
            f"{one.fingerprint[:_SHORT_FINGERPRINT]}..."
            if is_short
            else f"{printable.line(one.subject, _SHORT_SUBJECT)}, until {one.not_after:%Y-%m-%d}\n{one.fingerprint}"
            for one in row.certificate_list
        ]

    def human_readable(self) -> str:
        """Return one line for each certificate, or two; called by cliff."""
        return "\n".join(self._lines)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add the options; :func:`columns` returns only those that the operator gives."""
    group = parser.add_argument_group(
        "direct link",
        f"Link of the driver {direct_columns.DIRECT}: managers of both cells connect to each other, without a broker.",
    )
    dialing = group.add_mutually_exclusive_group()
    dialing.add_argument(
        "--address",
        metavar="HOST:PORT,...",
        action="append",
        help="addresses of the neighbor's managers, [cells_direct] listen of each, as 10.0.0.5:5680,[fd00::5]:5680; "
        "can be repeated",
    )
    dialing.add_argument(
        "--dials-in",
        action="store_true",
        help="no address is known: only the neighbor opens connections; removes registered addresses",
    )
    group.add_argument(
        "--certificate",
        metavar="FILE",
        action="append",
        help="file with certificates of the neighbor in PEM, as 'cells cert create' makes it there; can be repeated, "
        f"for example during a rotation; replaces the registered ones; '{NONE}' removes them",
    )
    group.add_argument(
        "--certificate-path",
        metavar="PATH",
        help="path of the neighbor, as api!east, that its certificate must contain if an authority of "
        f"[cells_direct] ca signed it; '{NONE}' removes it",
    )
    group.add_argument(
        "--also-accept",
        metavar="DRIVER",
        help="further driver over which messages of the neighbor are accepted, while the link moves from one driver "
        f"to another; '{NONE}' removes it (default: --driver alone)",
    )


def columns(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """Return the given columns.

    :raises cells.exceptions.ConfigurationError: a file cannot be read, or has no certificates
    :raises cells.exceptions.InvalidNeighbor: ``none`` is given together with files
    """
    named: dict[str, Any] = {}
    if parsed_args.address is not None or parsed_args.dials_in:
        named["addresses"] = ",".join(parsed_args.address) if parsed_args.address else None
    if parsed_args.certificate is not None:
        named["certificates"] = _read_certificates(parsed_args.certificate)
    for column in ("certificate_path", "also_accept"):
        text = getattr(parsed_args, column)
        if text is not None:
            named[column] = None if text.lower() == NONE else text
    return named


def check_is_complete(name: str, given: Mapping[str, Any]) -> None:
    """Check that a new direct link says which side connects.

    :param given: columns of the new row
    :raises cells.exceptions.InvalidNeighbor: neither an address nor --dials-in is given
    """
    if given.get("driver") == direct_columns.DIRECT and "addresses" not in given:
        raise exceptions.InvalidNeighbor(
            f"Who connects to whom? Give '--address HOST:PORT' of each manager of {name}, so that this cell connects "
            f"to them, or '--dials-in' if only the managers of {name} connect to this cell (then set [cells_direct] "
            "listen here).",
            cell=name,
        )


def remark_on(row: Neighbor, authorities: Sequence[str]) -> str:
    """Return why no connection of a direct link can be accepted; otherwise nothing.

    :param authorities: [cells_direct] ca
    """
    if row.driver != direct_columns.DIRECT or row.certificates is not None:
        return ""
    if row.certificate_path is None:
        return (
            f"No connection with {row.name} is accepted until its certificate is registered: create it with "
            f"'cells cert create' in {row.name}, copy it, and run 'cells neighbor set {row.name} --certificate FILE'. "
            f"If an authority of [cells_direct] ca signs it: 'cells neighbor set {row.name} --certificate-path PATH'."
        )
    if not authorities:
        return (
            f"No connection with {row.name} is accepted: its certificate must be signed by an authority, and "
            f"[cells_direct] ca names none. Set the option, or run 'cells neighbor set {row.name} --certificate FILE'."
        )
    return ""


def _read_certificates(files: Sequence[str]) -> str | None:
    if NONE in (file.lower() for file in files):
        if len(files) > 1:
            raise exceptions.InvalidNeighbor(f"Give --certificate {NONE}, or files with certificates, not both.")
        return None
    from cells.certificates import certificate  # noqa: PLC0415  # slow to import

    return "".join(one.pem for file in files for one in certificate.read_file(Path(file)))
