"""The options with which a link connects: its own, then those of this cell's broker, except those about queues."""

from __future__ import annotations

from typing import Any

from cells import conf as cells_conf
from cells.transport.link import open_link
from cells.transport.opening import open_transport
from tests.cases import each

OWN = {
    "ssl": True,
    "ssl_ca_file": "/ca.pem",
    "heartbeat_timeout_threshold": 60,
    "use_queue_manager": True,
    "rabbit_quorum_queue": True,
    "rabbit_transient_quorum_queue": True,
    "rabbit_stream_fanout": True,
}
PROTECTED = {"ssl": True, "ssl_ca_file": "/ca.pem"}


@each(
    ("query", "expected"),
    [
        ("", PROTECTED | {"heartbeat_timeout_threshold": 7, "kombu_reconnect_delay": 0.0}),
        ("?heartbeat_timeout_threshold=30", PROTECTED | {"heartbeat_timeout_threshold": 30}),
        ("?ssl=no&control_exchange=nova", {"ssl": False}),
        ("?ssl_ca_file=/east.pem", {"ssl": True, "ssl_ca_file": "/east.pem"}),
    ],
)
def test_a_link_is_protected_like_the_own_broker_unless_it_says_otherwise(
    query: str, expected: dict[str, object]
) -> None:
    """Options about queues stay at home: they would only keep a link from connecting (case A2)."""
    conf = cells_conf.load([])
    open_transport(conf, "rabbit://h/v")  # registers the group
    for name, value in OWN.items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    link = open_link(conf, f"rabbit://u:p@h/v{query}", 7)
    expected = {"use_queue_manager": False, "rabbit_stream_fanout": False, **expected}
    assert {name: getattr(options_of(link), name) for name in expected} == expected


def options_of(transport: Any) -> Any:
    """Return the options from which the library's driver connects."""
    return transport._driver._connection_pool.conf.oslo_messaging_rabbit
