"""Where a client waits: a text that travels, and names nothing but queues of clients."""

from __future__ import annotations

import pytest

from cells.transport.reply_address import ReplyAddress

#: For a broker, which counts bytes: what cannot be sent would look as if it were away.
TOO_LONG = ["4f2a@reply_" + "x" * 250, "4f2a@reply_" + "\u20ac" * 200]


def test_an_address_is_read_as_it_was_written() -> None:
    address = ReplyAddress("4f2a", "reply_web-1:nova-api:3")
    assert ReplyAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "4f2a", "4f2a@", "@reply_1", "4f2a@cells", "4f2a@cells.intercell.response", "@", "4f-2@reply_1", *TOO_LONG],
)
def test_what_names_no_queue_of_a_client_is_no_address(text: str) -> None:
    assert ReplyAddress.parse(text) is None
