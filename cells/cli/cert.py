"""``cells cert``: the certificate of this cell for direct links, and an authority that signs certificates.

The commands use only files, by default those of ``[cells_direct]``.  ``cells neighbor set --certificate`` registers the
certificates of other cells.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path

from cliff import show

from cells import exceptions
from cells.certificates import certificate, expiry, issuing, own
from cells.certificates.certificate import Certificate
from cells.cli import base
from cells.path import CellPath

STDIN = "-"
_MAX_TEXT_LENGTH = 100_000
_DAYS, _DAYS_OF_AUTHORITY, _MAX_DAYS = 365, 3650, 36500
#: commands that create the files of an authority, and a request
_CREATE_AUTHORITY, _REQUEST = f"{certificate.CREATE} --ca", "cells cert request"
#: files of an authority, in the directory of the cell
_AUTHORITY = "authority"
_SUFFIX, _KEY_SUFFIX, _REQUEST_SUFFIX = ".crt", ".key", ".csr"


class _CertCommand(base.CellCommand):
    """Base of the commands: the files that they use if the command line names no others."""

    def certificate_file(self, word: str | None = None) -> Path:
        """Return the file ``word``, or that of this cell's certificate."""
        return Path(word or self.conf.cells_direct.certificate)

    def key_file(self, word: str | None = None) -> Path:
        """Return the file ``word``, or that of this cell's key."""
        return Path(word or self.conf.cells_direct.key)

    def authority_file(self, word: str | None, suffix: str) -> Path:
        """Return the file ``word``, or that of an authority in the directory of this cell."""
        return Path(word or Path(self.conf.state_path, f"{_AUTHORITY}{suffix}"))

    def cell(self, path: CellPath | None) -> CellPath:
        """Return the path of the command line, or the name of this cell.

        :raises cells.exceptions.ConfigurationError: there is neither
        """
        if path is not None:
            return path
        name = self.conf.cells.name
        if not name:
            raise exceptions.ConfigurationError("[cells] name is not set: set it, or give the cell's path with --path.")
        try:
            return CellPath.parse(name)
        except exceptions.MalformedMessage as error:
            raise exceptions.ConfigurationError(f"[cells] name: {error.message}") from error

    def write(self, key_file: Path, file: Path, contents: tuple[issuing.PrivateKey, str], *, force: bool) -> None:
        """Write a new key, and the certificate or request that belongs to it.

        :raises cells.exceptions.ConfigurationError: both files are the same, or a file cannot be written
        :raises cells.exceptions.CertificateError: a file exists, and ``force`` is not set
        """
        if key_file == file:
            raise exceptions.ConfigurationError(f"{file} cannot have the key too: give the key a file of its own.")
        issuing.write(dict(zip((key_file, file), contents, strict=True)), force=force)

    def describe(self, made: Certificate, file: Path) -> None:
        """Say where a new certificate is, its fingerprint, and when it expires."""
        self.say(f"The certificate is in {file}, valid until {certificate.show_date(made.not_after)}.")
        self.say(f"Its SHA-256 fingerprint is {made.fingerprint}")


class Create(_CertCommand):
    """Create the private key and the self-signed certificate of this cell, or with --ca those of an authority.

    All managers of a cell use the same two files; copy them to its other machines. Run the command as the user that
    runs the managers, because only that user may read the key.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_path(parser, "no cell checks the path in a self-signed certificate")
        _add_days(parser, f"{_DAYS}; with --ca {_DAYS_OF_AUTHORITY}")
        parser.add_argument(
            "--ca", action="store_true", help="create an authority, which signs requests with 'cells cert sign'"
        )
        parser.add_argument(
            "--certificate",
            metavar="FILE",
            help=f"file to write the certificate to (default: [cells_direct] certificate; with --ca {_AUTHORITY}"
            f"{_SUFFIX} in state_path)",
        )
        _add_key(parser, f"; with --ca {_AUTHORITY}{_KEY_SUFFIX} in state_path")
        _add_force(parser, "the neighbors that know the old certificate refuse the new one until it is registered")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Create both files, and write the next command; called by cliff."""
        cell, key, now = self.cell(parsed_args.path), issuing.new_key(), _now()
        if parsed_args.ca:
            file = self.authority_file(parsed_args.certificate, _SUFFIX)
            key_file = self.authority_file(parsed_args.key, _KEY_SUFFIX)
            days = parsed_args.days or _DAYS_OF_AUTHORITY
            text = issuing.authority(f"{cell.last} {_AUTHORITY}", key, now=now, days=days)
        else:
            file, key_file = self.certificate_file(parsed_args.certificate), self.key_file(parsed_args.key)
            text = issuing.self_signed(cell, key, now=now, days=parsed_args.days or _DAYS)
        self.write(key_file, file, (key, text), force=parsed_args.force)
        self.describe(certificate.read(text.encode(), str(file))[0], file)
        if parsed_args.ca:
            self.say(f"Its key is in {key_file}. Guard it: the key can sign a certificate for every cell.")
            self.say("Copy the certificate to each cell that accepts certificates of this authority, and add its file")
            self.say("to [cells_direct] ca there.")
        else:
            self.say(f"Its key is in {key_file}, and never leaves this cell.")
            self.say("Copy the certificate to each cell that has a direct link with this cell, and run there:")
            self.say(f"cells neighbor set {shlex.quote(cell.last)} --certificate {shlex.quote(file.name)}")


class Request(_CertCommand):
    """Create the private key of this cell and a request, which an authority signs with 'cells cert sign'."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_path(parser, "the neighbors accept a signed certificate only with the path that they expect")
        parser.add_argument(
            "--request",
            metavar="FILE",
            help=f"file to write the request to (default: [cells_direct] certificate, with the suffix "
            f"{_REQUEST_SUFFIX})",
        )
        _add_key(parser)
        _add_force(parser, "a certificate of the old key cannot be used any more")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Create both files, and write the next command; called by cliff."""
        cell, key, key_file = self.cell(parsed_args.path), issuing.new_key(), self.key_file(parsed_args.key)
        request = Path(parsed_args.request or self.certificate_file().with_suffix(_REQUEST_SUFFIX))
        self.write(key_file, request, (key, issuing.request(cell, key)), force=parsed_args.force)
        self.say(f"The request for {cell} is in {request}. Its key is in {key_file}, and never leaves this cell.")
        self.say("Copy the request to the cell that has the authority, and run there:")
        self.say(f"cells cert sign {shlex.quote(request.name)} --path {shlex.quote(str(cell))}")
        self.say(f"Then copy the certificate to {self.certificate_file()} of this cell.")


class Sign(_CertCommand):
    """Sign the request of a cell with the authority of this cell, or with another one.

    State the path of the cell that you mean: a request that names another cell is refused.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "request",
            metavar="REQUEST",
            help=f"file of 'cells cert request'; '{STDIN}' reads the request from stdin and writes the certificate to "
            "stdout",
        )
        parser.add_argument(
            "--path", type=_path, metavar="PATH", required=True, help="path of the cell, from the top: api!east!edge7"
        )
        _add_days(parser, f"{_DAYS}; never longer than the authority")
        parser.add_argument(
            "--ca-certificate",
            metavar="FILE",
            help=f"certificate of the authority (default: {_AUTHORITY}{_SUFFIX} in state_path)",
        )
        parser.add_argument(
            "--ca-key", metavar="FILE", help=f"its private key (default: {_AUTHORITY}{_KEY_SUFFIX} in state_path)"
        )
        parser.add_argument(
            "--certificate",
            metavar="FILE",
            help=f"file to write the certificate to (default: REQUEST, with the suffix {_SUFFIX})",
        )
        _add_force(parser, "the old certificate stays valid until it expires")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Sign the request, and write the certificate to its file or to stdout; called by cliff."""
        is_stream = parsed_args.request == STDIN
        request = _read_stdin() if is_stream else certificate.read_text(Path(parsed_args.request), _REQUEST)
        authority = self._authority(parsed_args)
        text = issuing.sign(request, parsed_args.path, authority, now=_now(), days=parsed_args.days or _DAYS)
        if is_stream and not parsed_args.certificate:
            self.app.stdout.write(text)
            return
        file = Path(parsed_args.certificate or Path(parsed_args.request).with_suffix(_SUFFIX))
        issuing.write({file: text}, force=parsed_args.force)
        self.say(f"Signed the request of {parsed_args.path}.")
        self.describe(certificate.read(text.encode(), str(file))[0], file)

    def _authority(self, parsed_args: argparse.Namespace) -> issuing.Authority:
        file = self.authority_file(parsed_args.ca_certificate, _SUFFIX)
        key_file = self.authority_file(parsed_args.ca_key, _KEY_SUFFIX)
        key = own.read_key(key_file, _CREATE_AUTHORITY)
        return issuing.Authority(certificate.read_file(file, _CREATE_AUTHORITY)[0], key)


class Show(_CertCommand, show.ShowOne):
    """Show a certificate. The exit status is 1 if it is outside its dates, or expires within 30 days."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="file with a certificate (default: [cells_direct] certificate)"
        )
        parser.add_argument(
            "--number",
            type=base.positive_count,
            metavar="NUMBER",
            default=1,
            help="which certificate, if the file has several (default: 1, the first)",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> base.Record:
        """Return the values of the certificate; called by cliff."""
        file, number, now = self.certificate_file(parsed_args.file), parsed_args.number, _now()
        found = certificate.read_file(file)
        if number > len(found):
            raise exceptions.CertificateError(
                f"{file} has {len(found)} certificates, and not {number}: give a lower --number.", reason="missing"
            )
        shown = found[number - 1]
        for text in expiry.expiring([(str(file), shown)], now):
            self.fail(text)
        values = {
            "subject": shown.subject,
            "paths": base.JSONColumn(list(shown.paths)),
            "fingerprint": shown.fingerprint,
            "not_before": _iso(shown.not_before),
            "not_after": _iso(shown.not_after),
            "days_left": shown.days_left(now),
            "is_authority": base.JSONColumn(shown.is_authority),
            "certificates_in_file": len(found),
        }
        return tuple(values), tuple(values.values())


def _add_path(parser: argparse.ArgumentParser, note: str) -> None:
    parser.add_argument(
        "--path",
        type=_path,
        metavar="PATH",
        help=f"path of this cell, from the top: api!east (default: [cells] name); {note}",
    )


def _add_days(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--days", type=_days, metavar="DAYS", help=f"days until the certificate expires (default: {default})"
    )


def _add_key(parser: argparse.ArgumentParser, note: str = "") -> None:
    parser.add_argument(
        "--key", metavar="FILE", help=f"file to write the private key to (default: [cells_direct] key{note})"
    )


def _add_force(parser: argparse.ArgumentParser, consequence: str) -> None:
    parser.add_argument("--force", action="store_true", help=f"replace existing files; {consequence}")


def _path(text: str) -> CellPath:
    """Return the path of a cell; an argparse type."""
    try:
        return CellPath.parse(text)
    except exceptions.MalformedMessage as error:
        raise argparse.ArgumentTypeError(error.message) from error


def _days(text: str) -> int:
    """Return a number of days; an argparse type."""
    days = base.positive_count(text)
    if days > _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is more than {_MAX_DAYS} days")
    return days


def _read_stdin() -> bytes:
    """Return the text on stdin; nothing if it is no text, which is no request either."""
    try:
        return sys.stdin.read(_MAX_TEXT_LENGTH).encode()
    except UnicodeError:
        return b""


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
