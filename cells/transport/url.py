"""Transport URLs: read, built from their parts, changed, and shown without their passwords.

The neighbor table checks the URL of each row here, and the operator's commands build
and mask URLs.  The notation is the notation of ``oslo_messaging.TransportURL``; tests
compare the two.  This module does not import oslo.messaging: the import takes longer than
the rest of a command, and errors of oslo.messaging contain the unreadable text,
passwords included.  It does not use ``urlsplit`` either, which treats several
hosts, some of them in brackets, differently in each release of Python.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field
from urllib import parse as urllib_parse

from cells import exceptions

MASK = "***"
#: transports that need the name of a host
NETWORK_TRANSPORTS = frozenset({"rabbit", "kombu", "kafka", "amqp"})
RABBITMQ_TRANSPORTS = frozenset({"rabbit", "kombu"})
#: transports without a broker: peers at their addresses, and all peers in one directory of this machine
ZMQ_TRANSPORT, ZMQ_IPC_TRANSPORT = "zmq", "zmq+ipc"
#: a listener binds every address of the host to these; a client cannot connect to them
_WILDCARDS = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  # refused here
NOTATION = "rabbit://user:password@host:5672/virtual_host"
ZMQ_NOTATION = "zmq://host1:5570,host2:5570/?peer=NAME, or zmq+ipc:///directory for a cell on this machine"
_ENCODING_HINT = "special characters of a user name or password are written as %nn there: @ is %40, # is %23, : is %3A"
_SECRET_KEY = re.compile(r"pass|secret|token|credential", re.IGNORECASE)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*")


@dataclass(frozen=True)
class BrokerHost:
    """One host of a broker, with user name and password."""

    hostname: str
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        login = ""
        if self.username is not None:
            login = _quote(self.username)
            login += "" if self.password is None else f":{_quote(self.password)}"
            login += "@"
        return login + (f"[{self.hostname}]" if ":" in self.hostname else self.hostname) + self._port_suffix()

    def _port_suffix(self) -> str:
        return "" if self.port is None else f":{self.port}"


@dataclass(frozen=True)
class TransportURL:
    """A parsed transport URL.  ``str()`` returns the URL, with its passwords."""

    transport: str
    hosts: tuple[BrokerHost, ...] = ()
    virtual_host: str | None = None
    query: str = field(default="", repr=False)  #: still encoded

    def __str__(self) -> str:
        path = _quote(self.virtual_host or "")
        return f"{self.transport}://{','.join(map(str, self.hosts))}/{path}" + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class Parts:
    """The parts of a URL that an operator can set one by one; None: not set.

    ``username`` and ``password`` apply to every host.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    hostname: str | None = None
    port: int | None = None
    virtual_host: str | None = None
    broker_hosts: str | None = None  #: several hosts, ``h1:5672,[::1]:5673``

    def __bool__(self) -> bool:
        return any(value is not None for value in dataclasses.astuple(self))


def is_brokerless(url: str) -> bool:
    """Return whether ``url`` leads directly to the processes of a cell, without a broker."""
    return url.partition("://")[0].lower() in (ZMQ_TRANSPORT, ZMQ_IPC_TRANSPORT)


def is_rabbitmq(url: str) -> bool:
    """Return whether ``url`` leads to RabbitMQ."""
    return url.partition("://")[0].lower().partition("+")[0] in RABBITMQ_TRANSPORTS


def check_usable(url: TransportURL) -> None:
    """Check that oslo.messaging can log in with the user name and password of ``url``, to its virtual host.

    For RabbitMQ it passes each ``/`` of a login on without encoding, even if the URL had it encoded:
    kombu then reads the text behind it as the name of the virtual host.  It passes the name of the virtual host on
    decoded, and kombu decodes it once more.

    :raises cells.exceptions.InvalidNeighbor: a user name or password has a ``/``, or the name of the virtual host has
        characters that do not survive
    """
    if url.transport.partition("+")[0] not in RABBITMQ_TRANSPORTS:
        return
    virtual_host = url.virtual_host or ""
    if urllib_parse.unquote(virtual_host) != virtual_host:
        raise _invalid(
            "The virtual host has a '%' and two hexadecimal digits in its name: oslo.messaging decodes them once more, "
            "so that it opens another virtual host. Give the name itself, without %nn; in a URL, %2F is a '/'"
        )
    if "?" in virtual_host or "#" in virtual_host:
        raise _invalid(
            "The virtual host has a '?' or '#' in its name, where oslo.messaging cuts the name off: rename it"
        )
    login = "".join((host.username or "") + (host.password or "") for host in url.hosts)
    if "\ufffd" in login + virtual_host or "\0" in login + virtual_host:
        raise _invalid("The transport URL has a NUL character, or %nn that is no UTF-8: correct it")
    if any("/" in (host.username or "") + (host.password or "") for host in url.hosts):
        raise _invalid(
            "The transport URL has a user name or password with a '/', encoded or not: oslo.messaging cannot log in to "
            "RabbitMQ with it. Give this user a password without '/'"
        )


def check_neighbor(url: TransportURL) -> None:
    """Check that ``url`` can lead to another cell.

    A URL of a broker is not checked: its connection shows that.  Without a broker, the URL has to contain the
    addresses of the neighbor's managers: the registry of this cell does not know them.

    :raises cells.exceptions.InvalidNeighbor: the URL leads to no other cell
    """
    if url.transport.partition("+")[0] != ZMQ_TRANSPORT:
        return
    if url.transport not in (ZMQ_TRANSPORT, ZMQ_IPC_TRANSPORT):
        raise _invalid(f"There is no transport {url.transport!r:.40}", ZMQ_NOTATION)
    if any(host.username is not None for host in url.hosts):
        raise _invalid("A zmq:// URL has no login: leave user and password out, and see 'cells key'", ZMQ_NOTATION)
    if url.transport == ZMQ_IPC_TRANSPORT:
        if url.hosts or not (url.virtual_host or "").strip("/"):
            raise _invalid("A zmq+ipc:// URL has the absolute path of a directory, and no host", ZMQ_NOTATION)
    elif not url.hosts:
        raise _invalid(
            "zmq:/// finds only the servers of this cell: name the addresses of the neighbor's managers, "
            "[oslo_messaging_zmq] bind of each, with their ports",
            ZMQ_NOTATION,
        )
    elif any(host.port is None for host in url.hosts):
        raise _invalid("Each host of a zmq:// URL needs its port", ZMQ_NOTATION)
    elif any(host.hostname in _WILDCARDS for host in url.hosts):
        raise _invalid("A host of the zmq:// URL is a wildcard: name the address of the manager's host", ZMQ_NOTATION)
    elif url.virtual_host:
        raise _invalid("A zmq:// URL with hosts has no path: there are no virtual hosts without a broker", ZMQ_NOTATION)


def parse(url: object) -> TransportURL:
    """Parse a transport URL.

    :raises cells.exceptions.InvalidNeighbor: the text is no URL; the message never contains a password
    """
    if not isinstance(url, str) or not url:
        raise _invalid("A transport URL must be a text")
    if not url.isprintable() or " " in url:
        raise _invalid("A transport URL must not hold blanks or control characters")
    scheme, separator, rest = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise _invalid("The transport URL does not start with a transport and '://'")
    transport = scheme.lower()
    rest, _, query = rest.partition("?")
    addresses, _, path = rest.partition("/")
    if "#" in url:
        raise _invalid(f"The transport URL has a '#' in it; {_ENCODING_HINT}")
    if "@" in query and "@" not in addresses + path:
        raise _invalid(f"The transport URL has a '?' before an '@'; {_ENCODING_HINT}, ? is %3F")
    if "@" in path and "@" not in addresses:
        raise _invalid(f"The transport URL has a '/' before an '@'; {_ENCODING_HINT}")
    if _hides_separators(addresses):
        raise _invalid(f"The transport URL has a character that looks like one of / ? # @ : in it; {_ENCODING_HINT}")
    hosts = tuple(_read_host(text) for text in addresses.split(",") if text)
    if not hosts and transport in NETWORK_TRANSPORTS:
        raise _invalid("The transport URL names no host")
    if len({host.username is None for host in hosts}) > 1:
        raise _invalid(
            f"Some hosts of the transport URL have a user name and some have none; {_ENCODING_HINT}, a comma is %2C"
        )
    return TransportURL(transport, hosts, urllib_parse.unquote(path) if path else None, query)


def build(parts: Parts, transport: str = "rabbit") -> TransportURL:
    """Return a URL made of its parts.

    :raises cells.exceptions.InvalidNeighbor: a part is missing or invalid
    """
    if parts.hostname is None and parts.broker_hosts is None:
        raise _invalid("No broker is named: give a transport URL, a host name, or several broker hosts")
    return change(TransportURL(transport), parts)


def change(url: TransportURL, parts: Parts) -> TransportURL:
    """Return ``url`` with the given parts replaced.

    New hosts get the login of the first old host, unless the parts contain a login.

    :raises cells.exceptions.InvalidNeighbor: a part is invalid
    """
    hosts = _change_addresses(url.hosts, parts)
    if parts.username is not None:
        hosts = tuple(dataclasses.replace(host, username=parts.username) for host in hosts)
    if parts.password is not None:
        hosts = tuple(dataclasses.replace(host, password=parts.password) for host in hosts)
    if any(host.password is not None and not host.username for host in hosts):
        raise _invalid("A password needs a user name")
    virtual_host = url.virtual_host if parts.virtual_host is None else parts.virtual_host
    changed = dataclasses.replace(url, hosts=hosts, virtual_host=virtual_host or None)
    parse(str(changed))
    return changed


def mask(url: str) -> str:
    """Return ``url`` with ``***`` in place of every password; an empty text, of a neighbor without a broker, unchanged.

    If the text is no transport URL, all of it that could be a password is replaced.
    """
    if not url:
        return ""
    try:
        parsed = parse(url)
    except exceptions.InvalidNeighbor:
        # Any part may be a part of the password: an @, for example, whose host is missing.
        scheme, separator, _ = url.partition("://")
        return f"{scheme}://{MASK}" if separator and _SCHEME.fullmatch(scheme) else MASK
    head, question_mark, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    netloc, slash, path = rest.partition("/")
    hosts = ",".join(_mask_host(host) for host in netloc.split(","))
    # A password that is not encoded may have a separator and an @ in it.
    path = MASK if "@" in path else path
    pairs = MASK if "@" in path + query else "&".join(_mask_pair(pair) for pair in query.split("&"))
    return f"{parsed.transport}://{hosts}{slash}{path}{question_mark}{pairs}"


def has_mask(url: str) -> bool:
    """Return whether a password of ``url`` is ``***``, as :func:`mask` writes it."""
    parsed = parse(url)
    values = [pair.partition("=")[2] for pair in parsed.query.split("&")]
    return MASK in [*(host.password for host in parsed.hosts), parsed.virtual_host, *values]


def _change_addresses(hosts: tuple[BrokerHost, ...], parts: Parts) -> tuple[BrokerHost, ...]:
    login = hosts[0] if hosts else BrokerHost("")
    if parts.broker_hosts is not None:
        if parts.hostname is not None or parts.port is not None:
            raise _invalid("Broker hosts cannot be combined with a host name or a port: use either")
        if "@" in parts.broker_hosts:
            raise _invalid("Broker hosts are given without user names: 'h1:5672,[::1]:5673'")
        addresses = [_read_address(text.strip()) for text in parts.broker_hosts.split(",")]
        return tuple(dataclasses.replace(login, hostname=host, port=port) for host, port in addresses)
    if parts.hostname is not None:
        kept_port = hosts[0].port if len(hosts) == 1 else None
        hostname = _check_hostname(parts.hostname.removeprefix("[").removesuffix("]"))
        hosts = (dataclasses.replace(login, hostname=hostname, port=kept_port),)
    if parts.port is not None:
        if len(hosts) != 1:
            raise _invalid("A port can be set for one host only: give several hosts as broker hosts, 'h1:5672,h2:5672'")
        hosts = (dataclasses.replace(hosts[0], port=_check_port(parts.port)),)
    return hosts


def _hides_separators(text: str) -> bool:
    """Return whether a parser that normalizes characters first would find more separators than this one."""
    plain = re.sub("[/?#@:]", "", text)
    return not text.isascii() and bool(re.search("[/?#@:]", unicodedata.normalize("NFKC", plain)))


def _read_host(text: str) -> BrokerHost:
    login, at_sign, address = text.rpartition("@")
    hostname, port = _read_address(address)
    if not at_sign:
        return BrokerHost(hostname, port)
    username, colon, password = login.partition(":")
    if not username:
        raise _invalid("The transport URL has an '@' without a user name before it")
    if "[" in login or "]" in login:
        raise _invalid(f"The brackets in the transport URL do not enclose an IPv6 address; {_ENCODING_HINT}, [ is %5B")
    return BrokerHost(hostname, port, urllib_parse.unquote(username), urllib_parse.unquote(password) if colon else None)


def _read_address(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        hostname, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in hostname or (port and not port.startswith(":")):
            raise _invalid("An IPv6 address is written in brackets, the port behind them: [::1]:5672")
        port = port[1:]
    elif text.count(":") > 1:
        hostname, port = text, ""
    else:
        hostname, _, port = text.partition(":")
    return _check_hostname(hostname), _check_port(port) if port else None


def _check_hostname(hostname: str) -> str:
    if ":" in hostname:
        try:
            ipaddress.IPv6Address(hostname)
        except ValueError:
            # The error does not show the text: it may be a part of a password that was not encoded.
            raise _invalid(f"A host of the transport URL is no IPv6 address and has a ':'; {_ENCODING_HINT}") from None
    elif not hostname or re.search(r"[@/?#,\[\]%\\]|\s", hostname) or not hostname.isprintable():
        raise _invalid(f"A host name is empty or has a special character in it; {_ENCODING_HINT}")
    return hostname


def _check_port(port: object) -> int:
    number = int(port) if isinstance(port, str) and port.isascii() and port.isdigit() else port
    if not isinstance(number, int) or not 0 < number < 65536:
        # The error does not show the text: it is a part of the password if the password was not encoded.
        raise _invalid(f"A port is not a number between 1 and 65535; {_ENCODING_HINT}")
    return number


def _mask_host(text: str) -> str:
    login, at_sign, address = text.rpartition("@")
    username, colon, _ = login.partition(":")
    return f"{username}{colon}{MASK if colon else ''}{at_sign}{address}"


def _mask_pair(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return f"{key}={MASK}" if equals and _SECRET_KEY.search(urllib_parse.unquote_plus(key)) else pair


def _quote(text: str) -> str:
    return urllib_parse.quote(text, safe="")


def _invalid(problem: str, notation: str = NOTATION) -> exceptions.InvalidNeighbor:
    return exceptions.InvalidNeighbor(f"{problem}. It should look like {notation}.")
