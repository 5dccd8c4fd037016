"""Options of one link in the query of its URL: checked, changed, and handed to oslo.messaging."""

from __future__ import annotations

import oslo_messaging
import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions
from cells.conf import zmq
from cells.transport import link_options
from cells.transport import url as transport_url
from cells.transport.link import open_link
from tests.cases import each

ZMQ = "zmq://h:5570/"


@each(
    "url",
    [
        *("rabbit://h/v", "fake://h/v?x=1", "fake://h/v?control_exchange=nova"),
        "rabbit://h/v?ssl=true&ssl_ca_file=/etc/ca.pem&rabbit_quorum_queue=yes&amqp_durable_queues=1",
        "kombu://h/v?heartbeat_timeout_threshold=60&control_exchange=nova",
        f"{ZMQ}?peer=east&connect_timeout=0.5&tcp_security=none&control_exchange=nova",
    ],
)
def test_good_options(url: str) -> None:
    """Options of the link itself, as the ones that a row could have before (case A2)."""
    link_options.check(transport_url.parse(url))
    open_link(cells_conf.load([]), url, 10).cleanup()


@each(
    ("url", "name"),
    [
        *((f"rabbit://h/v?{query}", query.partition("=")[0]) for query in ("rabbit_quorum_queues=1", "peer=east")),
        *((f"rabbit://h/v?{query}", "ssl") for query in ("ssl=perhaps", "ssl=", "ssl", "ssl=1&ssl=0")),
        ("rabbit://h/v?heartbeat_timeout_threshold=x", "heartbeat_timeout_threshold"),
        ("rabbit://h/v?kombu_failover_strategy=best", "kombu_failover_strategy"),
        *((f"{url}?control_exchange={'x' * 256}", "control_exchange") for url in ("rabbit://h/v", "fake://", ZMQ)),
        ("rabbit://h/v?control_exchange=", "control_exchange"),
        *((f"{ZMQ}?{query}", query.partition("=")[0]) for query in ("pear=east", "ssl=true", "matchmaker=sql", "peer")),
        *((f"{ZMQ}?{query}", query.partition("=")[0]) for query in ("connect_timeout=never", "delivery_timeout=nan")),
        *((f"{ZMQ}?{query}", query.partition("=")[0]) for query in ("max_connections=0", "tcp_security=tls", "peer=")),
    ],
)
def test_a_wrong_option_is_named(url: str, name: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=rf"\b{name}\b"):
        link_options.check(transport_url.parse(url))


def test_options_of_zmq_are_those_of_its_group() -> None:
    assert {option.dest for option in zmq.OPTIONS} > link_options.ZMQ_OPTIONS.keys()


@each(
    ("url", "expected"),
    [
        pytest.param("rabbit://h/v", {"a": "1", "b": "2"}, id="none-given"),
        pytest.param("rabbit://h/v?ssl=true&a=60", {"ssl": "true", "a": "60", "b": "2"}, id="its-own-go-first"),
        pytest.param(
            "rabbit://h/v?aa=6%26&control_exchange=n", {"aa": "6&", "a": "1", "b": "2"}, id="exchange-left-out"
        ),
    ],
)
def test_the_library_reads_the_options_and_the_defaults(url: str, expected: dict[str, str]) -> None:
    text = link_options.for_library(url, {"a": "1", "b": "2"})
    assert oslo_messaging.TransportURL.parse(cfg.ConfigOpts(), text).query == expected


def test_a_url_without_options_is_left_alone() -> None:
    assert link_options.for_library("fake://h/v", {}) == "fake://h/v"
    assert link_options.exchange_of("fake://h/v") is None


def test_changes_set_replace_and_remove() -> None:
    url = transport_url.parse("rabbit://h/v?ssl=true&control_exchange=nova")
    changed = link_options.change(url, {"ssl": "", "control_exchange": "a&b", "heartbeat_rate": "3"})
    assert link_options.read(str(changed)) == {"control_exchange": "a&b", "heartbeat_rate": "3"}
    assert link_options.exchange_of(str(changed)) == "a&b"
