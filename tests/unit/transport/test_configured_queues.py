"""The queues of a topic as the configuration declares them."""

from __future__ import annotations

from typing import Any

from cells import conf as cells_conf
from cells.transport import configured_queues
from cells.transport.configured_queues import ConfiguredQueue
from cells.transport.opening import open_transport
from tests.cases import each


@each(
    ("query", "expected"),
    [
        ("", ConfiguredQueue("cells", False, False, {})),
        ("?amqp_durable_queues=true", ConfiguredQueue("cells", True, False, {})),
        ("?amqp_auto_delete=true", ConfiguredQueue("cells", False, True, {})),
        ("?rabbit_quorum_queue=true", ConfiguredQueue("cells", True, False, {"x-queue-type": "quorum"})),
    ],
)
def test_options_of_the_broker(query: str, expected: ConfiguredQueue) -> None:
    transport: Any = open_transport(cells_conf.load([]), f"rabbit://u:p@h/v{query}")
    try:
        assert configured_queues.of_topic(transport, "cells") == expected
        assert configured_queues.of_topic(transport, "cells", "h1").name == "cells.h1"
    finally:
        transport.cleanup()
