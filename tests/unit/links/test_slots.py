"""The limit on open links: links wait for a slot in their order, without a thread."""

from __future__ import annotations

from collections.abc import Callable

from cells.links.slots import LinkSlots


class Openings:
    """Links that are opened, and the requests to close an idle one."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closings = 0
        #: the system has no thread
        self.has_no_thread = False

    def close_idle(self) -> None:
        self.closings += 1

    def link(self, name: str) -> Callable[[], None]:
        def open_link() -> None:
            if self.has_no_thread:
                raise RuntimeError("can't start new thread")
            self.opened.append(name)

        return open_link


def test_links_open_in_their_order_as_slots_get_free() -> None:
    openings = Openings()
    slots = LinkSlots(2, openings.close_idle)
    for name in "abcd":
        slots.request(openings.link(name))
    assert openings.opened == ["a", "b"]
    assert slots.is_crowded
    assert openings.closings == 2
    slots.release()
    assert openings.opened == ["a", "b", "c"]
    slots.release()
    assert openings.opened == ["a", "b", "c", "d"]
    assert not slots.is_crowded
    slots.release()
    slots.request(openings.link("e"))
    assert openings.opened[-1] == "e"


def test_a_link_without_a_thread_opens_later_and_keeps_its_place() -> None:
    openings = Openings()
    slots = LinkSlots(1, openings.close_idle)
    openings.has_no_thread = True
    slots.request(openings.link("a"))
    slots.request(openings.link("b"))
    assert openings.opened == []
    openings.has_no_thread = False
    slots.open_waiting()
    assert openings.opened == ["a"]
    slots.release()
    assert openings.opened == ["a", "b"]
