"""What every driver has to do: run on each of them by the functional and the integration tests.

A module that wants it makes a class of DriverContract and has a fixture ``bus``.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells import exceptions, versions
from cells.drivers.base import BaseCellsDriver, DriverSettings
from cells.messages import MESSAGE_TYPES
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tools.polling import poll

SEND_TIMEOUT_SECONDS = 2


class Manager:
    """One manager of a cell: a driver that receives, and what it has received."""

    def __init__(self, driver: BaseCellsDriver, name: str) -> None:
        """:param name: under which messages for this manager alone are sent"""
        self.driver = driver
        self.name = name
        self.received: list[str] = []
        #: those of one cast of many each
        self.casts: list[list[str]] = []
        self.handle: Callable[[str], None] = lambda _text: None

    def start(self) -> None:
        self.driver.start_servers(self._take)

    def _take(self, came: object) -> None:
        if isinstance(came, list):
            texts = [item["text"] for item in came]
            self.casts.append(texts)
        else:
            assert isinstance(came, str)
            texts = [came]
        self.received.extend(texts)
        for text in texts:
            self.handle(text)

    def wait_for(self, *texts: str) -> None:
        """Wait until it has received these, in any order, and nothing else."""
        poll(lambda: len(self.received) >= len(texts), f"{len(texts)} messages arrive", pause_seconds=0.01)
        assert sorted(self.received) == sorted(texts)


class Bus:
    """Where the drivers of one test meet.

    :param driver_class: the driver under test
    :param name: its name among the entry points
    :param url: of the receiving cell's broker
    :param unreachable_url: of a broker where nobody is
    :param own_url: by which the receiving cell names its broker itself, where that is another URL
    :param conf: of the receiving cell
    """

    def __init__(
        self,
        driver_class: type[BaseCellsDriver],
        name: str,
        url: str,
        unreachable_url: str,
        *,
        own_url: str | None = None,
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        self.target = Neighbor("target", url, is_parent=False, driver=name)
        self.unreachable = Neighbor("nowhere", unreachable_url, is_parent=False, driver=name)
        self._driver_class = driver_class
        self._own_url = own_url or url
        self._conf: cfg.ConfigOpts = conf or cells_conf.load([])
        self._numbers = itertools.count(1)
        self._opened = contextlib.ExitStack()

    def driver(self, name: str = "") -> BaseCellsDriver:
        """A driver of a manager of the receiving cell; any driver can send."""
        driver = self._driver_class(
            DriverSettings(
                conf=self._conf,
                host=name or self._name(),
                transport_url=self._own_url,
                message_types=MESSAGE_TYPES,
                send_timeout_seconds=SEND_TIMEOUT_SECONDS,
            )
        )
        self._opened.callback(driver.close)
        self._opened.callback(driver.stop_servers)
        return driver

    def manager(self) -> Manager:
        """One that receives already."""
        name = self._name()
        manager = Manager(self.driver(name), name)
        manager.start()
        return manager

    def _name(self) -> str:
        return f"host{next(self._numbers)}"

    def close(self) -> None:
        """Stop and close all drivers of the test."""
        self._opened.close()


def message(text: str, message_type: str = "targeted", *, fanout: bool = False, server: str = "") -> TextMessage:
    return TextMessage(message_type, fanout, text, server=server)


def batch(
    texts: Sequence[str], message_type: str = "targeted", *, fanout: bool = False, server: str = ""
) -> list[TextMessage]:
    """Messages that share a cast."""
    return [
        TextMessage(message_type, fanout, text, version=versions.BATCHES, server=server, item={"text": text})
        for text in texts
    ]


class DriverContract:
    """To be inherited by a class whose name starts with Test."""

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_message_reaches_exactly_one_manager(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.driver()
        texts = [str(number) for number in range(20)]
        for text in texts:
            sender.send_message_to_cell(bus.target, message(text, message_type))
        poll(lambda: sum(len(manager.received) for manager in managers) >= 20, "all arrive", pause_seconds=0.01)
        assert sorted(managers[0].received + managers[1].received) == sorted(texts)
        assert all(manager.received for manager in managers)

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_fanout_reaches_every_manager(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.driver()
        for text in ("1", "2"):
            sender.send_message_to_cell(bus.target, message(text, message_type, fanout=True))
        for manager in managers:
            manager.wait_for("1", "2")

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Größe \u2028 \U0001f600 \\ \" ' \x00 \x7f {}", id="unicode"),
            pytest.param("", id="empty"),
            pytest.param("xü" * 500_000, id="1-MB"),
        ],
    )
    def test_text_arrives_unharmed(self, bus: Bus, text: str) -> None:
        manager = bus.manager()
        bus.driver().send_message_to_cell(bus.target, message(text))
        manager.wait_for(text)

    @pytest.mark.parametrize("blocked", ["targeted", "broadcast"])
    def test_requests_that_wait_do_not_keep_a_response_from_being_read(self, bus: Bus, blocked: str) -> None:
        manager, sender = bus.manager(), bus.driver()
        is_over = threading.Event()
        answered = threading.Event()

        def handle(text: str) -> None:
            if text == "response":
                answered.set()
            else:
                assert is_over.wait(50), "The test never ended"

        manager.handle = handle
        try:
            for _ in range(70):
                sender.send_message_to_cell(bus.target, message("request", blocked))
            poll(lambda: len(manager.received) >= 1, "the thread for requests is busy", pause_seconds=0.01)
            sender.send_message_to_cell(bus.target, message("response", "response"))
            assert answered.wait(10)
        finally:
            is_over.set()
        manager.wait_for(*["request"] * 70, "response")

    def test_handler_that_raises_does_not_end_the_receiving(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()

        def fall_over(text: str) -> None:
            raise RuntimeError(text)

        manager.handle = fall_over
        for number in range(100):
            sender.send_message_to_cell(bus.target, message(str(number)))
        manager.wait_for(*map(str, range(100)))

    def test_unreachable_neighbor_is_an_error_within_the_bound(self, bus: Bus) -> None:
        sender = bus.driver()
        for fanout in (False, True):
            started = time.monotonic()
            with pytest.raises(exceptions.NeighborUnreachable, match="nowhere") as caught:
                sender.send_message_to_cell(bus.unreachable, message("lost", fanout=fanout))
            assert time.monotonic() - started < 3 * SEND_TIMEOUT_SECONDS
            assert caught.value.cell == "nowhere"
            assert "guest:" not in str(caught.value)
        sender.close_link(bus.unreachable)

    def test_neighbor_where_nobody_has_ever_listened_is_an_error(self, bus: Bus) -> None:
        with pytest.raises(exceptions.NeighborUnreachable, match="target"):
            bus.driver().send_message_to_cell(bus.target, message("lost"))

    def test_unreachable_neighbor_does_not_keep_others_from_being_sent_to(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        with pytest.raises(exceptions.NeighborUnreachable):
            sender.send_message_to_cell(bus.unreachable, message("lost"))
        sender.send_message_to_cell(bus.target, message("found"))
        manager.wait_for("found")

    def test_link_that_was_closed_is_opened_again(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        sender.close_link(bus.target)
        for text in ("1", "2"):
            sender.send_message_to_cell(bus.target, message(text))
            sender.close_link(bus.target)
            sender.close_link(bus.target)
        manager.wait_for("1", "2")
        sender.close()
        sender.close()

    def test_two_neighbors_may_share_a_broker(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        other = Neighbor("other", bus.target.transport_url, is_parent=True, driver=bus.target.driver)
        sender.send_message_to_cell(bus.target, message("1"))
        sender.send_message_to_cell(other, message("2"))
        sender.close_link(other)
        sender.send_message_to_cell(bus.target, message("3"))
        manager.wait_for("1", "2", "3")

    def test_many_threads_may_send_at_a_time(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()

        def send(thread: int) -> None:
            for number in range(10):
                sender.send_message_to_cell(bus.target, message(f"{thread}/{number}"))

        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        manager.wait_for(*(f"{thread}/{number}" for thread in range(4) for number in range(10)))

    def test_servers_may_be_stopped_twice_and_without_a_start(self, bus: Bus) -> None:
        driver = bus.driver()
        driver.stop_servers()
        manager = bus.manager()
        manager.driver.stop_servers()
        manager.driver.stop_servers()

    def test_servers_may_be_started_again(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        manager.driver.stop_servers()
        manager.start()
        sender.send_message_to_cell(bus.target, message("again"))
        manager.wait_for("again")

    def test_stopping_waits_for_what_is_being_handled(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        is_over, done = threading.Event(), []

        def handle(text: str) -> None:
            assert is_over.wait(30), "The test never ended"
            done.append(text)

        manager.handle = handle
        sender.send_message_to_cell(bus.target, message("slow"))
        poll(lambda: manager.received, "it is being handled", pause_seconds=0.01)
        stopping = threading.Thread(target=manager.driver.stop_servers)
        stopping.start()
        stopping.join(0.2)
        assert stopping.is_alive()
        is_over.set()
        stopping.join(20)
        assert not stopping.is_alive()
        assert done == ["slow"]

    def test_manager_that_takes_no_more_requests_still_hears_answers(self, bus: Bus) -> None:
        stops, stays, sender = bus.manager(), bus.manager(), bus.driver()
        stops.driver.stop_taking(frozenset(("targeted", "broadcast")))
        sender.send_message_to_cell(bus.target, message("answer", "response", server=stops.name))
        sender.send_message_to_cell(bus.target, message("news", "response", fanout=True))
        stops.wait_for("answer", "news")
        stays.wait_for("news")
        for number in range(10):
            sender.send_message_to_cell(bus.target, message(str(number)))
        poll(lambda: len(stops.received + stays.received) >= 13, "each request is taken", pause_seconds=0.01)
        requests = sorted(text for text in stops.received + stays.received if text.isdigit())
        assert requests == [str(number) for number in range(10)]
        stops.driver.stop_servers()

    def test_manager_that_has_stopped_leaves_the_messages_to_the_others(self, bus: Bus) -> None:
        gone, stays, sender = bus.manager(), bus.manager(), bus.driver()
        gone.driver.stop_servers()
        for number in range(10):
            sender.send_message_to_cell(bus.target, message(str(number)))
        sender.send_message_to_cell(bus.target, message("all", fanout=True))
        stays.wait_for(*map(str, range(10)), "all")
        assert gone.received == []

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_messages_of_one_cast_reach_exactly_one_manager_in_their_order(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.driver()
        casts = [[f"{cast}/{number}" for number in range(10)] for cast in range(20)]
        for texts in casts:
            sender.send_messages_to_cell(bus.target, batch(texts, message_type))
        poll(lambda: sum(len(manager.received) for manager in managers) >= 200, "all arrive", pause_seconds=0.01)
        assert sorted(managers[0].casts + managers[1].casts) == sorted(casts)
        assert all(manager.received == list(itertools.chain(*manager.casts)) for manager in managers)
        assert all(manager.casts for manager in managers)

    def test_casts_of_one_sender_to_one_manager_arrive_in_their_order(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.driver()
        for number in range(20):
            sender.send_messages_to_cell(bus.target, batch([f"{number}a", f"{number}b"]))
            sender.send_message_to_cell(bus.target, message(f"{number}c"))
        poll(lambda: len(manager.received) >= 60, "all arrive", pause_seconds=0.01)
        assert manager.received == [f"{number}{letter}" for number in range(20) for letter in "abc"]

    def test_a_cast_of_many_may_be_for_every_manager(self, bus: Bus) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.driver()
        sender.send_messages_to_cell(bus.target, batch(["1", "2"], fanout=True))
        for manager in managers:
            manager.wait_for("1", "2")
            assert manager.casts == [["1", "2"]]

    def test_a_cast_of_many_may_hold_one(self, bus: Bus) -> None:
        manager = bus.manager()
        bus.driver().send_messages_to_cell(bus.target, batch(["alone"]))
        manager.wait_for("alone")

    def test_items_arrive_unharmed(self, bus: Bus) -> None:
        manager = bus.manager()
        texts = ["Größe \u2028 \U0001f600 \\ \" ' \x7f {}", "", "xü" * 100_000, '{"a": [1, "\\u00e9"]}']
        bus.driver().send_messages_to_cell(bus.target, batch(texts))
        manager.wait_for(*texts)
        assert manager.casts == [texts]

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_what_is_for_one_manager_reaches_that_one(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager(), bus.manager()], bus.driver()
        for manager in managers:
            name = manager.name
            sender.send_message_to_cell(bus.target, message(f"alone for {name}", message_type, server=name))
            sender.send_messages_to_cell(
                bus.target, batch([f"1 for {name}", f"2 for {name}"], message_type, server=name)
            )
        for manager in managers:
            manager.wait_for(*(f"{what} for {manager.name}" for what in ("alone", "1", "2")))

    def test_a_manager_that_has_vanished_is_no_failure_of_the_neighbor(self, bus: Bus) -> None:
        gone, stays, sender = bus.manager(), bus.manager(), bus.driver()
        gone.driver.stop_servers()
        # A broker may keep a queue for some time: a manager that has just stopped may come back.
        with contextlib.suppress(exceptions.ManagerGone):
            bus.driver().send_message_to_cell(bus.target, message("lost", "response", server=gone.name))
        with contextlib.suppress(exceptions.ManagerGone):
            bus.driver().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server=gone.name))
        with pytest.raises(exceptions.ManagerGone, match="never-was-there") as alone:
            sender.send_message_to_cell(bus.target, message("lost", "response", server="never-was-there"))
        # By a connection of its own: amqp takes the confirmation of a message that came back for that of the next one.
        with pytest.raises(exceptions.ManagerGone, match="never-was-there") as together:
            bus.driver().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server="never-was-there"))
        assert [caught.value.cell for caught in (alone, together)] == [bus.target.name] * 2
        sender.send_message_to_cell(bus.target, message("found", "response"))
        stays.wait_for("found")
        assert gone.received == []

    @pytest.mark.parametrize(
        "name", ["x" * 255, "ü" * 255, "a.b", "#", "*", "a:b/c?d=e", "{}", "'"], ids=lambda name: ascii(name[:5])
    )
    def test_a_manager_that_can_not_be_is_no_failure_of_the_neighbor(self, bus: Bus, name: str) -> None:
        """A cell far away says to whom its answers shall go: it must not break the link that they go by."""
        stays, sender = bus.manager(), bus.driver()
        with pytest.raises(exceptions.ManagerGone):
            sender.send_message_to_cell(bus.target, message("lost", "response", server=name))
        with pytest.raises(exceptions.ManagerGone):
            bus.driver().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server=name))
        sender.send_message_to_cell(bus.target, message("found", "response"))
        stays.wait_for("found")

    def test_a_cast_of_many_to_an_unreachable_neighbor_is_an_error(self, bus: Bus) -> None:
        with pytest.raises(exceptions.NeighborUnreachable, match="nowhere") as caught:
            bus.driver().send_messages_to_cell(bus.unreachable, batch(["lost", "too"]))
        assert caught.value.cell == "nowhere"


def opened(bus: Bus) -> Iterator[Bus]:
    """For the fixture: closes it at the end."""
    try:
        yield bus
    finally:
        bus.close()
