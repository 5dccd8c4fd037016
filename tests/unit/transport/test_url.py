"""Transport URLs: oslo.messaging parses them alike, and no error or masked URL contains a password."""

from __future__ import annotations

import contextlib
import dataclasses
from urllib.parse import parse_qsl

import oslo_messaging
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg

from cells import exceptions
from cells.transport import url as transport_url
from cells.transport.url import MASK, BrokerHost, Parts
from tests.cases import each

SECRET = "s3kr3t"
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp", "Zs")), min_size=1, max_size=20)
HOSTNAMES = st.sampled_from(["h1", "broker.example.org", "10.0.0.1", "::1", "2001:db8::1"])
PORTS = st.none() | st.integers(1, 65535)


def oslo(url: str) -> oslo_messaging.TransportURL:
    return oslo_messaging.TransportURL.parse(cfg.ConfigOpts(), url)


def hosts(url: str) -> list[dict[str, object]]:
    """The hosts of a URL, as oslo.messaging reads them if this Python lets it read more than one IPv6 address."""
    ours = [dataclasses.asdict(host) for host in transport_url.parse(url).hosts]
    try:
        theirs = [vars(host) for host in oslo(url).hosts]
    except ValueError:
        assert "[" in url
        assert len(ours) > 1
        return ours
    assert theirs == ours
    return theirs


@given(username=TEXTS, password=st.text(max_size=20), hostname=HOSTNAMES, port=PORTS, virtual_host=st.none() | TEXTS)
def test_oslo_messaging_reads_a_built_url_as_its_parts(
    username: str, password: str, hostname: str, port: int | None, virtual_host: str | None
) -> None:
    parts = Parts(username=username, password=password, hostname=hostname, port=port, virtual_host=virtual_host)
    url = transport_url.build(parts)

    read = oslo(str(url))

    assert read.transport == "rabbit"
    assert [vars(host) for host in read.hosts] == [
        {"hostname": hostname, "port": port, "username": username, "password": password}
    ]
    assert (read.virtual_host or None) == virtual_host
    assert transport_url.parse(str(url)) == url


@given(password=TEXTS, others=st.lists(st.tuples(HOSTNAMES, PORTS, TEXTS, TEXTS), max_size=3))
def test_no_password_is_left_in_a_masked_url(password: str, others: list[tuple[str, int | None, str, str]]) -> None:
    first = BrokerHost("h0", 5672, "user", password)
    all_hosts = (first, *(BrokerHost(*other) for other in others))
    url = transport_url.TransportURL("rabbit", all_hosts, "v")

    masked = transport_url.mask(str(url))

    assert hosts(masked) == [dataclasses.asdict(dataclasses.replace(host, password=MASK)) for host in all_hosts]


@each("login", ["", "u:s3kr3t@"])
@each(
    "addresses",
    [
        ["h0:5672", "[::1]:5673"],
        ["[::1]:5673", "h0:5672"],
        ["[::1]", "h0"],
        ["[::1]:1", "[2001:db8::1]", "[::3]:3"],
        ["h0", "[::1]", "10.0.0.1:1"],
    ],
    ids=",".join,
)
def test_hosts_of_all_kinds_on_every_python(login: str, addresses: list[str]) -> None:
    url = f"rabbit://{','.join(login + address for address in addresses)}/v"

    read = transport_url.parse(url)

    assert [str(host) for host in read.hosts] == [login + address for address in addresses]
    assert [host["hostname"] for host in hosts(url)] == [host.hostname for host in read.hosts]
    assert str(read) == url
    assert transport_url.mask(url) == url.replace(SECRET, MASK)
    built = transport_url.build(Parts(broker_hosts=",".join(addresses), virtual_host="v"))
    assert str(built) == url.replace(login, "")
    assert transport_url.change(read, Parts(virtual_host="w")).hosts == read.hosts


@given(text=st.text(max_size=60) | st.text("rabit:/@,[]%?#ö1", max_size=30).map("rabbit://{}".format))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(exceptions.InvalidNeighbor):
        url = transport_url.parse(text)
        assert transport_url.parse(str(url)) == url
    assert isinstance(transport_url.mask(text), str)


@each("password", ["p@ss", "p:ss", "p/ss", "p%41", "#!?&=+", "a,b", "[x]", "päß😀", "-", " blank "])
def test_special_characters_of_a_password_survive(password: str) -> None:
    url = transport_url.build(Parts(username="us er@x", password=password, broker_hosts="h1:5672,[::1]:5673"))
    assert [host["password"] for host in hosts(str(url))] == [password, password]
    assert [host["username"] for host in hosts(str(url))] == ["us er@x", "us er@x"]


@each(
    ("url", "masked"),
    [
        ("rabbit://u:s3kr3t@h:5672/v", "rabbit://u:***@h:5672/v"),
        ("rabbit://u:s3kr3t@h1,w:s3kr3t@[::1]:1/", "rabbit://u:***@h1,w:***@[::1]:1/"),
        # An empty password looks like any other.
        ("rabbit://u:@h/", "rabbit://u:***@h/"),
        *((url, url) for url in ("rabbit://h/", "rabbit://u@h/", "fake://")),
        ("rabbit://h/v?ssl=true&ssl_key_password=s3kr3t&x=1", "rabbit://h/v?ssl=true&ssl_key_password=***&x=1"),
        ("rabbit://h/?SSL%5FKey%5Fpassword=s3kr3t", "rabbit://h/?SSL%5FKey%5Fpassword=***"),
        # A separator in the password is not encoded.
        *(
            (f"rabbit://{rest}", "rabbit://***")
            for rest in ("u:s3kr3t/x@h/", "u:s3kr3t#@h/", "u:s3kr3t", "u:1?s3kr3t@h/", "u:p@h:s3kr3t")
        ),
        ("rabbit://u:p@h/x@s3kr3t/v", "rabbit://u:***@h/***"),
        ("rabbit://u:p@h/v?x@s3kr3t", "rabbit://u:***@h/v?***"),
        ("s3kr3t", "***"),
        ("", ""),
    ],
)
def test_mask(url: str, masked: str) -> None:
    assert transport_url.mask(url) == masked


@each(
    "url",
    [
        *(None, 7, "", "u:s3kr3t@h", "://u:s3kr3t@h", "rabbit:/u:s3kr3t@h"),
        # no host
        *("rabbit://", "rabbit:///v", "rabbit://u:s3kr3t@/v"),
        # ports
        *("rabbit://u:s3kr3t@h:0/", "rabbit://u:s3kr3t@h:65536/", "rabbit://u:s3kr3t@h:x/"),
        *("rabbit://u:s3kr3t@h:\u0661/", "rabbit://u:s3kr3t@[::1]5672/", "rabbit://u:s3kr3t@a:b:c/"),
        # brackets
        *("rabbit://u:s3kr3t@[::1/", "rabbit://u:s3kr3t@::1]/", "rabbit://u:s3kr3t@h[::1]/", "rabbit://u:s3kr3t@[h]/"),
        *("rabbit://u:s3kr3t@h1,u:s3kr3t@[::1/", "rabbit://u:s3kr3t@[::1,u:s3kr3t@h]/"),
        # special characters in the password; 5672 looks like a port
        *("rabbit://u:s3kr3t/x@h/", "rabbit://u:5672/s3kr3t@h/", "rabbit://u:s3kr3t?x@h/", "rabbit://u:s3kr3t#x@h/"),
        *("rabbit://u:s3kr3t[x@h/", "rabbit://u:[s3kr3t]@h/", "rabbit://u:s3kr3t\uff0fx@h/", "rabbit://u:5,s3kr3t@h/"),
        # logins, a line feed, a blank
        *("rabbit://u:s3kr3t@h1,h2/", "rabbit://:s3kr3t@h/", "rabbit://u:s3kr3t@h/\n", "rabbit://u:s3 kr3t@h/"),
    ],
)
def test_a_bad_url_is_refused_and_its_password_not_told(url: object) -> None:
    with pytest.raises(exceptions.InvalidNeighbor) as caught:
        transport_url.parse(url)
    assert SECRET not in str(caught.value)
    assert transport_url.NOTATION in str(caught.value)
    assert "\n" not in str(caught.value)


@each(
    "parts",
    [
        *(Parts(), Parts(username="u", password=SECRET), Parts(password=SECRET, hostname="h")),
        *(Parts(hostname="h", broker_hosts="h1"), Parts(port=1, broker_hosts="h1")),
        *(Parts(hostname="h", port=0), Parts(hostname="h", port=70000)),
        *(Parts(hostname=hostname) for hostname in ("", "a/b", "a:b", "a b")),
        *(Parts(broker_hosts=several) for several in ("", "h1,,h2", "h1,[::1", "h1:x", f"u:{SECRET}@h1")),
    ],
)
def test_parts_that_make_no_url(parts: Parts) -> None:
    with pytest.raises(exceptions.InvalidNeighbor) as caught:
        transport_url.build(parts)
    assert SECRET not in str(caught.value)


@each(
    ("before", "parts", "after"),
    [
        pytest.param("rabbit://u:p@h:1/v", Parts(password="q"), "rabbit://u:q@h:1/v", id="password"),
        pytest.param("rabbit://u:p@h1,w:q@h2/", Parts(password="x"), "rabbit://u:x@h1,w:x@h2/", id="password-of-all"),
        pytest.param("rabbit://u:p@h:1/v", Parts(hostname="g"), "rabbit://u:p@g:1/v", id="host-keeps-port"),
        pytest.param("rabbit://u:p@h:1/v", Parts(port=2), "rabbit://u:p@h:2/v", id="port"),
        pytest.param("rabbit://u:p@h:1/v", Parts(virtual_host=""), "rabbit://u:p@h:1/", id="no-virtual-host"),
        pytest.param("rabbit://u:p@h:1/v", Parts(virtual_host="/"), "rabbit://u:p@h:1/%2F", id="virtual-host-slash"),
        pytest.param("rabbit://u:p@h:1/", Parts(broker_hosts="a, b:2"), "rabbit://u:p@a,u:p@b:2/", id="several-hosts"),
        pytest.param("rabbit://u:p@a,u:p@b/", Parts(hostname="[::1]"), "rabbit://u:p@[::1]/", id="one-host-of-several"),
        pytest.param("rabbit://h/?ssl=1&a=b", Parts(username="u"), "rabbit://u@h/?ssl=1&a=b", id="query-stays"),
    ],
)
def test_change(before: str, parts: Parts, after: str) -> None:
    assert str(transport_url.change(transport_url.parse(before), parts)) == after


def test_a_port_needs_one_host() -> None:
    with pytest.raises(exceptions.InvalidNeighbor):
        transport_url.change(transport_url.parse("rabbit://a,b/"), Parts(port=1))


def test_no_repr_shows_a_password() -> None:
    url = transport_url.parse(f"rabbit://u:{SECRET}@h/?ssl_key_password={SECRET}")
    assert SECRET in str(url)
    assert SECRET not in repr(url)
    assert SECRET not in repr(Parts(password=SECRET))


@each(
    "url",
    [
        *("zmq://h1:5570/", "zmq://h1:5570", "zmq://[::1]:5570/"),
        "ZMQ://h1:5570,h2:5571/?peer=east&connect_timeout=0.5",
        "zmq://[::1]:5570,10.0.0.5:5570/?tcp_security=none",
        *("zmq+ipc:///run/cells/east", "zmq+ipc:///run%2Fcells%2Feast", "zmq+ipc:///%2Frun%2Fcells?delivery_timeout=3"),
    ],
)
def test_neighbor_without_a_broker(url: str) -> None:
    read = transport_url.parse(url)
    transport_url.check_neighbor(read)
    hosts(url)
    assert transport_url.parse(str(read)) == read
    with contextlib.suppress(ValueError):  # several hosts, one of them in brackets, on some releases of Python
        theirs = oslo(url)
        assert (theirs.transport, theirs.virtual_host or None) == (read.transport, read.virtual_host)
        assert theirs.query == dict(parse_qsl(read.query))


@each(
    ("url", "told"),
    [
        *((url, "addresses of the neighbor's managers") for url in ("zmq:///", "zmq://", "zmq:///run/cells")),
        *((url, "port") for url in ("zmq://h1:5570,h2/", "zmq://h1/")),
        ("zmq://h1:5570/v", "virtual hosts"),
        *((url, "cells key") for url in (f"zmq://u:{SECRET}@h1:5570/", "zmq://u@h1:5570/")),
        *((f"zmq+ipc://{rest}", "absolute path") for rest in ("run/cells", "", "/", "h:1/run")),
        ("zmq+tcp://h:1/", "no transport 'zmq.tcp'"),
        *((url, "wildcard") for url in ("zmq://h1:5570,*:5570/", "zmq://[::]:5570/")),
    ],
)
def test_neighbor_that_no_such_url_leads_to(url: str, told: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=told) as caught:
        transport_url.check_neighbor(transport_url.parse(url))
    assert SECRET not in str(caught.value)
    assert transport_url.ZMQ_NOTATION in str(caught.value)
    assert transport_url.NOTATION not in str(caught.value)


def test_the_url_of_a_broker_is_not_checked() -> None:
    for url in ("rabbit://h/?anything=1", "fake:///", "memory://bus/cell"):
        transport_url.check_neighbor(transport_url.parse(url))
