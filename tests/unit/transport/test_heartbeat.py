"""The heartbeat threshold of a transport: short by default, and the operator's own value otherwise (case B4)."""

from __future__ import annotations

from pathlib import Path

import oslo_messaging
from oslo_config import cfg

from cells import conf as cells_conf
from cells.transport import heartbeat, open_transport
from cells.transport.patches.reachability import RequestLimits
from tests.cases import each

URL = "rabbit://user:secret@host/a"


def threshold(transport: oslo_messaging.RPCTransport) -> int:
    """Return the threshold that the next connection of ``transport`` reads."""
    return int(transport._driver._connection_pool.conf.oslo_messaging_rabbit.heartbeat_timeout_threshold)


@each(
    ("url", "section", "seconds"),
    [
        (URL, "", heartbeat.THRESHOLD_SECONDS),
        (f"{URL}?ssl=false", "", heartbeat.THRESHOLD_SECONDS),
        (f"{URL}?heartbeat_timeout_threshold=77", "", 77),
        (URL, "[oslo_messaging_rabbit]\nheartbeat_timeout_threshold = 33\n", 33),
    ],
)
def test_the_operators_value_takes_precedence(tmp_path: Path, url: str, section: str, seconds: int) -> None:
    file = tmp_path / "cells.conf"
    file.write_text(section)
    assert threshold(open_transport(cells_conf.load([file]), url)) == seconds


def test_the_transport_of_a_service_has_it_too() -> None:
    conf = cfg.ConfigOpts()
    conf([])
    transport = oslo_messaging.get_rpc_transport(conf, URL)
    assert threshold(transport) > heartbeat.THRESHOLD_SECONDS
    RequestLimits(transport)
    assert threshold(transport) == heartbeat.THRESHOLD_SECONDS
