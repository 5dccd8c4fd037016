"""The kinds under which lost messages are counted."""

from __future__ import annotations

from cells.messages.kinds import INTERNAL, kind_of
from tests.cases import each


@each("message_type", ["targeted", "broadcast"])
@each("needs_response", [False, True])
def test_pings_and_announcements_are_not_counted(message_type: str, needs_response: bool) -> None:
    for method in ("ping", "announce_capacities"):
        assert kind_of(message_type, method, needs_response=needs_response) == INTERNAL


def test_other_requests_have_a_kind() -> None:
    assert kind_of("broadcast", "note", needs_response=False) == "broadcast_cast"
    assert kind_of("targeted", "note", needs_response=True) == "call"
    assert kind_of("targeted", "service_event", needs_response=False) == "event"
