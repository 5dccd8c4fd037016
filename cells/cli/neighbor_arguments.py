"""The columns of a neighbor as options of a command, for ``cells neighbor create`` and ``set``."""

from __future__ import annotations

import argparse
import getpass
import sys
from importlib import metadata
from typing import Any

from cells import exceptions, versions
from cells.cli import base
from cells.transport import url as transport_url

#: an option's value that says "ask me, or read it from stdin": it stays out of the shell's history
FROM_STDIN = "-"
#: the version cap that takes the cap away
NO_CAP = "none"


def add_columns(parser: argparse.ArgumentParser, *, is_type_required: bool) -> None:
    """The options; what is not given stays out of :func:`columns` and :func:`parts`."""
    parser.add_argument(
        "--type",
        choices=("parent", "child"),
        required=is_type_required,
        help="where that cell is in the tree, seen from this one",
    )
    parser.add_argument("--driver", help="driver that sends to it, an entry point of cells.drivers (default: rpc)")
    parser.add_argument("--api-url", metavar="URL", help="address of that cell's public API, for others to look up")
    parser.add_argument("--weight-offset", type=base.number, metavar="NUMBER", help="for schedulers (default: 0)")
    parser.add_argument("--weight-scale", type=base.number, metavar="NUMBER", help="for schedulers (default: 1)")
    parser.add_argument(
        "--version-cap",
        metavar="VERSION",
        help="highest version of the inter-cell API to speak with it: a version, the name of a release, "
        f"{versions.AUTO} (what that cell says it reads), or '{NO_CAP}' to take the cap away; "
        "[upgrade_levels] intercell holds for every neighbor, and the lower of the two counts (default: none)",
    )
    add_show_secrets(parser)
    broker = parser.add_argument_group("broker", "That cell's broker: a URL, or its parts.")
    broker.add_argument(
        "--transport-url",
        metavar="URL",
        help=f"{transport_url.NOTATION}, special characters of a password as %%nn; "
        f"without a broker: {transport_url.ZMQ_NOTATION}; "
        f"'{FROM_STDIN}' asks for it, or reads it from stdin",
    )
    broker.add_argument("--username", help="user name, for every host")
    broker.add_argument(
        "--password",
        help="password for every host, as it is; "
        f"'{FROM_STDIN}' asks for it, or reads it from stdin, so that it is not in the shell's history",
    )
    broker.add_argument("--hostname", metavar="HOST", help="name or address (IPv6 too) of the only host")
    broker.add_argument("--port", type=int, help="port of the only host (default: that of the transport)")
    broker.add_argument("--virtual-host", metavar="NAME", help="virtual host of the broker")
    broker.add_argument(
        "--broker-hosts", metavar="HOST:PORT,...", help="several hosts of one broker: h1:5672,h2:5672,[::1]:5672"
    )


def add_show_secrets(parser: argparse.ArgumentParser) -> None:
    """The option of every command that shows a transport URL."""
    parser.add_argument("--show-secrets", action="store_true", help="show passwords, which are masked otherwise")


def columns(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """The columns that were named, without what :func:`parts` holds.

    :raises cells.exceptions.InvalidNeighbor: the driver or the version cap is not known, or no URL came from stdin
    """
    named = {
        "is_parent": parsed_args.type and parsed_args.type == "parent",
        "driver": parsed_args.driver,
        "api_url": parsed_args.api_url,
        "weight_offset": parsed_args.weight_offset,
        "weight_scale": parsed_args.weight_scale,
        "transport_url": _secret(parsed_args.transport_url, "transport URL"),
    }
    named = {column: value for column, value in named.items() if value is not None}
    if "driver" in named:
        _check_driver(named["driver"])
    if parsed_args.version_cap is not None:
        named["version_cap"] = _read_version_cap(parsed_args.version_cap)
    return named


def parts(parsed_args: argparse.Namespace) -> transport_url.Parts:
    """The parts of the transport URL that were named.

    :raises cells.exceptions.InvalidNeighbor: the whole URL was named too, or no password came from stdin
    """
    named = transport_url.Parts(
        username=parsed_args.username,
        password=_secret(parsed_args.password, "password"),
        hostname=parsed_args.hostname,
        port=parsed_args.port,
        virtual_host=parsed_args.virtual_host,
        broker_hosts=parsed_args.broker_hosts,
    )
    if named and parsed_args.transport_url is not None:
        raise exceptions.InvalidNeighbor("Name the broker by --transport-url or by its parts, not by both.")
    return named


def check_transport(driver: str, url: str) -> None:
    """See that oslo.messaging has what the scheme of ``url`` names, if that is what ``driver`` sends with.

    :raises cells.exceptions.InvalidNeighbor: it has not, or ``url`` is none
    """
    if driver != "rpc":
        return
    scheme = transport_url.parse(url).transport.partition("+")[0]
    known = sorted({entry.name for entry in metadata.entry_points(group="oslo.messaging.drivers")})
    if scheme not in known:
        raise exceptions.InvalidNeighbor(
            f"There is no transport {scheme!r:.40}; those installed are: {', '.join(known)}."
        )


def _secret(value: str | None, what: str) -> str | None:
    if value != FROM_STDIN:
        return value
    text = getpass.getpass(f"The {what}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise exceptions.InvalidNeighbor(f"No {what} came from the standard input.")
    return text


def _read_version_cap(text: str) -> str | None:
    """The cap as it is kept: as it was typed, but for blanks and upper case, so that an alias stays one."""
    cap = text.strip().lower()
    if cap == NO_CAP:
        return None
    if not cap:
        raise exceptions.InvalidNeighbor(
            f"The version cap is empty: give '{versions.AUTO}', or '{NO_CAP}' to take the cap away."
        )
    try:
        versions.read_cap(cap)
    except exceptions.ConfigurationError as error:
        raise exceptions.InvalidNeighbor(f"The version cap {error.message} '{NO_CAP}' takes the cap away.") from error
    return cap


def _check_driver(name: str) -> None:
    known = sorted({entry.name for entry in metadata.entry_points(group="cells.drivers")})
    if name not in known:
        raise exceptions.InvalidNeighbor(f"There is no driver {name!r}; there are: {', '.join(known)}.")
