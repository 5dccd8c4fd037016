"""Command line options for the columns of a neighbor: ``cells neighbor create`` and ``set``."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import ipaddress
import sys
from collections.abc import Sequence
from typing import Any

from cells import exceptions, versions
from cells.cli import base, direct_arguments
from cells.neighbors import row_checks
from cells.neighbors.direct_columns import DIRECT
from cells.neighbors.neighbor import read_patterns
from cells.transport import link_options
from cells.transport import url as transport_url
from cells.transport.place import is_among

#: value of an option that prompts for the secret or reads it from stdin, so that the shell's history does not have it
FROM_STDIN = "-"
#: value of --version-cap that removes the cap
NO_CAP = "none"
#: values of --allow: any call, and no call but those of the managers themselves
ALLOW_ALL, ALLOW_NONE = "all", "none"


def add_columns(parser: argparse.ArgumentParser, *, is_type_required: bool) -> None:
    """Add the options; :func:`columns` and :func:`parts` return only the options that the operator gives."""
    parser.add_argument(
        "--type",
        choices=("parent", "child"),
        required=is_type_required,
        help="position of the neighbor in the tree: parent or child of this cell",
    )
    parser.add_argument(
        "--driver", help="driver that sends to the neighbor, an entry point of cells.drivers (default: rpc)"
    )
    parser.add_argument(
        "--api-url", metavar="URL", help="URL of the neighbor's public API, which services can read from the row"
    )
    parser.add_argument(
        "--weight-offset",
        type=base.number,
        metavar="NUMBER",
        help="addend to its weight when a cell is picked (default: 0)",
    )
    parser.add_argument(
        "--weight-scale",
        type=base.number,
        metavar="NUMBER",
        help="factor of its free capacity in that weight (default: 1)",
    )
    parser.add_argument(
        "--version-cap",
        metavar="VERSION",
        help="highest version of the inter-cell API to send to the neighbor: a version, the name of a release, "
        f"{versions.AUTO} (the version that the neighbor announces), or '{NO_CAP}' to remove the cap; "
        "[upgrade_levels] intercell caps every neighbor, and the lower of the two caps counts (default: none)",
    )
    parser.add_argument(
        "--allow",
        metavar="PATTERN",
        action="append",
        help="calls that the neighbor may make in this cell: METHOD of an endpoint, or TOPIC:METHOD or "
        "EXCHANGE/TOPIC:METHOD of a service that [cells] allowed_services allows, too, with the wildcards * and ?; "
        f"give the option several times, or separate the patterns with commas; '{ALLOW_ALL}' allows all calls, "
        f"'{ALLOW_NONE}' none (default: {ALLOW_ALL})",
    )
    parser.add_argument(
        "--max-foreign-seconds",
        metavar="SECONDS",
        help="longest time that this cell works on one message of the neighbor, or "
        f"'{NO_CAP}' for [cells] max_foreign_seconds (default: {NO_CAP})",
    )
    add_show_secrets(parser)
    direct_arguments.add_columns(parser)
    broker = parser.add_argument_group("broker", "Broker of the neighbor: a URL, or its parts.")
    broker.add_argument(
        "--transport-url",
        metavar="URL",
        help=f"{transport_url.NOTATION}, with special characters of a password as %%nn; "
        f"without a broker: {transport_url.ZMQ_NOTATION}; not needed for the driver {DIRECT}, where '' removes it; "
        f"'{FROM_STDIN}' prompts for the URL, or reads it from stdin",
    )
    broker.add_argument("--username", help="user name, for every host")
    broker.add_argument(
        "--password",
        help="password for every host, without escapes; "
        f"'{FROM_STDIN}' prompts for it, or reads it from stdin, and keeps it out of the shell's history",
    )
    broker.add_argument("--hostname", metavar="HOST", help="name or address (also IPv6) of the only host")
    broker.add_argument("--port", type=int, help="port of the only host (default: port of the transport)")
    broker.add_argument("--virtual-host", metavar="NAME", help="virtual host of the broker")
    broker.add_argument(
        "--broker-hosts", metavar="HOST:PORT,...", help="several hosts of one broker: h1:5672,h2:5672,[::1]:5672"
    )
    link = parser.add_argument_group("link", "Options of the link, which are kept in the query of the URL.")
    link.add_argument(
        "--exchange",
        metavar="NAME",
        help="[DEFAULT] control_exchange of the neighbor, nova for Nova's cells service; "
        "'' removes it (default: control_exchange of this cell)",
    )
    link.add_argument(
        "--link-option",
        type=_link_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of [oslo_messaging_rabbit] for this link alone, such as ssl=true; can be repeated; "
        "'NAME=' removes it (default: the option of this cell)",
    )


def add_show_secrets(parser: argparse.ArgumentParser) -> None:
    """Add --show-secrets, for every command that shows a transport URL."""
    parser.add_argument("--show-secrets", action="store_true", help="show passwords (default: masked)")


def columns(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """Return the given columns, without the parts of the transport URL.

    :raises cells.exceptions.InvalidNeighbor: a driver or the version cap is unknown, or stdin has no URL
    :raises cells.exceptions.ConfigurationError: a file of certificates cannot be read
    """
    named = {column: getattr(parsed_args, column) for column in ("driver", "api_url", "weight_offset", "weight_scale")}
    named["is_parent"] = parsed_args.type and parsed_args.type == "parent"
    named["transport_url"] = _secret(parsed_args.transport_url, "transport URL")
    named = {column: value for column, value in named.items() if value is not None}
    named.update(direct_arguments.columns(parsed_args))
    row_checks.check_drivers(named.get("driver"), named.get("also_accept"))
    if parsed_args.version_cap is not None:
        named["version_cap"] = _read_version_cap(parsed_args.version_cap)
    if parsed_args.allow is not None:
        named["allowed_methods"] = _read_allowed(parsed_args.allow)
    if parsed_args.max_foreign_seconds is not None:
        named["max_foreign_seconds"] = _read_seconds(parsed_args.max_foreign_seconds)
    return named


def parts(parsed_args: argparse.Namespace) -> transport_url.Parts:
    """Return the given parts of the transport URL.

    :raises cells.exceptions.InvalidNeighbor: the whole URL is given too, or stdin has no password
    """
    values = {part.name: getattr(parsed_args, part.name) for part in dataclasses.fields(transport_url.Parts)}
    values["password"] = _secret(values["password"], "password")
    named = transport_url.Parts(**values)
    if named and parsed_args.transport_url is not None:
        raise exceptions.InvalidNeighbor("Give the broker as --transport-url or by its parts, not both.")
    return named


def link_changes(parsed_args: argparse.Namespace) -> dict[str, str]:
    """Return the given options of the link; an empty value removes an option."""
    changes = dict(parsed_args.link_option)
    if parsed_args.exchange is not None:
        changes[link_options.EXCHANGE] = parsed_args.exchange
    return changes


def remark_on(name: str, url: str, own_urls: Sequence[str]) -> str:
    """Return a remark about a URL that probably does not reach ``name``; otherwise nothing.

    :param own_urls: URLs that lead to this cell itself
    """
    if not url:
        return ""
    parsed = transport_url.parse(url)
    if transport_url.is_brokerless(url) and parsed.hosts and all(_is_loopback(host.hostname) for host in parsed.hosts):
        return (
            f"The transport URL of {name} has a loopback address, which reaches {name} only if it runs on the same "
            f"machine as this cell's managers. Otherwise: 'cells neighbor set {name} --transport-url ...'."
        )
    if parsed.transport not in transport_url.RABBITMQ_TRANSPORTS:
        return ""
    if is_among(url, own_urls):
        return (
            f"The transport URL of {name} leads to the broker and virtual host of this cell itself. Set the URL of "
            f"{name}: 'cells neighbor set {name} --transport-url ...'."
        )
    if any(host.username is not None and host.password is None for host in parsed.hosts):
        return (
            f"The transport URL of {name} has a user name and no password: RabbitMQ refuses the login. "
            f"'cells neighbor set {name} --password -' adds it."
        )
    if all(host.username is not None for host in parsed.hosts):
        return ""
    virtual_host, option = ("", "") if parsed.virtual_host else (" and no virtual host", " --virtual-host ...")
    return (
        f"The transport URL of {name} has no user name{virtual_host}: the manager logs in as guest, which most brokers "
        f"accept only from their own host. 'cells neighbor set {name} --username ... --password -{option}' adds them."
    )


def _is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def _link_option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not NAME=VALUE")
    return name, value


def _secret(value: str | None, label: str) -> str | None:
    if value != FROM_STDIN:
        return value
    text = getpass.getpass(f"The {label}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise exceptions.InvalidNeighbor(f"The standard input has no {label}.")
    return text


def _read_version_cap(text: str) -> str | None:
    """Return the cap in lower case without blanks; the name of a release stays a name."""
    cap = text.strip().lower()
    if cap == NO_CAP:
        return None
    if not cap:
        raise exceptions.InvalidNeighbor(
            f"The version cap is empty: give '{versions.AUTO}', or '{NO_CAP}' to remove the cap."
        )
    row_checks.check_version_cap(cap)
    return cap


def _read_allowed(patterns: Sequence[str]) -> str | None:
    text = read_patterns(",".join(patterns))
    if text == ALLOW_ALL:
        return None
    if text == ALLOW_NONE:
        return ""
    if not text:
        raise exceptions.InvalidNeighbor(f"--allow is empty: give patterns, '{ALLOW_ALL}' or '{ALLOW_NONE}'.")
    return text


def _read_seconds(text: str) -> float | None:
    if text.strip().lower() == NO_CAP:
        return None
    try:
        return float(text)
    except ValueError:
        raise exceptions.InvalidNeighbor(
            f"--max-foreign-seconds must be a number or '{NO_CAP}', not {text!r:.40}."
        ) from None
