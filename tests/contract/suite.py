"""Contract of a driver: the functional and the integration tests run it on each driver.

A module that runs it subclasses DriverContract and defines a fixture ``bus``.
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
from cells.drivers.base import BaseCellsDriver, DriverSettings, PostingDriver
from cells.messages import MESSAGE_TYPES
from cells.neighbors.neighbor import Neighbor
from tests.text_message import TextMessage
from tools.polling import poll

SEND_TIMEOUT_SECONDS = 2


class Manager:
    """One manager of a cell: a receiving driver, and the messages that it has received."""

    def __init__(self, driver: BaseCellsDriver, name: str) -> None:
        """:param name: the address of messages for only this manager"""
        self.driver = driver
        self.name = name
        self.received: list[str] = []
        #: the texts of each cast with several messages
        self.casts: list[list[str]] = []
        self.handle: Callable[[str], None] = lambda _text: None

    def start(self) -> None:
        self.driver.start_servers(self._take)

    def _take(self, received: object, _neighbor: str = "", _age_seconds: float = 0.0) -> None:
        if isinstance(received, list):
            texts = [item["text"] for item in received]
            self.casts.append(texts)
        else:
            assert isinstance(received, str)
            texts = [received]
        self.received.extend(texts)
        for text in texts:
            self.handle(text)

    def wait_for(self, *texts: str) -> None:
        """Wait until the manager has received these texts, in any order, and no other."""
        poll(lambda: len(self.received) >= len(texts), f"{len(texts)} messages arrive")
        assert sorted(self.received) == sorted(texts)


class Bus:
    """Meeting point of the drivers of one test.

    :param driver_class: the driver under test
    :param name: its name among the entry points
    :param url: URL of the receiving cell's broker
    :param unreachable_url: URL without a broker
    :param own_url: the receiving cell's own URL of its broker, if different from ``url``
    :param conf: configuration of the receiving cell
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
        """Return a driver of the receiving cell; any driver can send."""
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
        """Return a manager that receives already."""
        name = self._name()
        manager = Manager(self.driver(name), name)
        manager.start()
        return manager

    def sender(self) -> BaseCellsDriver:
        """Return a driver that can send to the managers that run already."""
        return self.driver()

    def _name(self) -> str:
        return f"host{next(self._numbers)}"

    def close(self) -> None:
        """Stop and close all drivers of the test."""
        self._opened.close()


def post(sender: BaseCellsDriver, cell: Neighbor, sent: TextMessage) -> None:
    """Send a message without waiting until a manager has processed it."""
    if isinstance(sender, PostingDriver):
        sender.post(cell, [(sent, lambda _error: None)])
    else:
        sender.send_message_to_cell(cell, sent)


def message(text: str, message_type: str = "targeted", *, fanout: bool = False, server: str = "") -> TextMessage:
    return TextMessage(message_type, fanout, text, server=server)


def batch(
    texts: Sequence[str], message_type: str = "targeted", *, fanout: bool = False, server: str = ""
) -> list[TextMessage]:
    """Return messages that share a cast."""
    return [
        TextMessage(message_type, fanout, text, version=versions.BATCHES, server=server, item={"text": text})
        for text in texts
    ]


class DriverContract:
    """Base class; the name of a subclass starts with Test."""

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_message_reaches_exactly_one_manager(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.sender()
        texts = [str(number) for number in range(20)]
        for text in texts:
            sender.send_message_to_cell(bus.target, message(text, message_type))
        poll(lambda: sum(len(manager.received) for manager in managers) >= 20, "all arrive")
        assert sorted(managers[0].received + managers[1].received) == sorted(texts)
        assert all(manager.received for manager in managers)

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_fanout_reaches_every_manager(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.sender()
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
    def test_text_arrives_unchanged(self, bus: Bus, text: str) -> None:
        manager = bus.manager()
        bus.sender().send_message_to_cell(bus.target, message(text))
        manager.wait_for(text)

    @pytest.mark.parametrize("blocked", ["targeted", "broadcast"])
    def test_blocked_requests_do_not_delay_a_response(self, bus: Bus, blocked: str) -> None:
        manager, sender = bus.manager(), bus.sender()
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
                post(sender, bus.target, message("request", blocked))
            poll(lambda: len(manager.received) >= 1, "the thread for requests is busy")
            sender.send_message_to_cell(bus.target, message("response", "response"))
            assert answered.wait(10)
        finally:
            is_over.set()
        manager.wait_for(*["request"] * 70, "response")

    def test_receiving_goes_on_after_an_error_of_the_handler(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()

        def fail(text: str) -> None:
            raise RuntimeError(text)

        manager.handle = fail
        for number in range(100):
            sender.send_message_to_cell(bus.target, message(str(number)))
        manager.wait_for(*map(str, range(100)))

    def test_unreachable_neighbor_is_an_error_in_time(self, bus: Bus) -> None:
        sender = bus.sender()
        for fanout in (False, True):
            started = time.monotonic()
            with pytest.raises(exceptions.NeighborUnreachable) as caught:
                sender.send_message_to_cell(bus.unreachable, message("lost", fanout=fanout))
            assert time.monotonic() - started < 3 * SEND_TIMEOUT_SECONDS
            assert caught.value.cell == "nowhere"
            assert "guest:" not in str(caught.value)
        sender.close_link(bus.unreachable)

    def test_neighbor_without_a_manager_is_an_error(self, bus: Bus) -> None:
        with pytest.raises(exceptions.NeighborUnreachable) as caught:
            bus.sender().send_message_to_cell(bus.target, message("lost"))
        assert caught.value.cell == "target"

    def test_unreachable_neighbor_does_not_affect_other_neighbors(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        with pytest.raises(exceptions.NeighborUnreachable):
            sender.send_message_to_cell(bus.unreachable, message("lost"))
        sender.send_message_to_cell(bus.target, message("found"))
        manager.wait_for("found")

    def test_closed_link_is_opened_again(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        sender.close_link(bus.target)
        for text in ("1", "2"):
            sender.send_message_to_cell(bus.target, message(text))
            sender.close_link(bus.target)
            sender.close_link(bus.target)
        manager.wait_for("1", "2")
        sender.close()
        sender.close()

    def test_two_neighbors_may_share_a_broker(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        other = Neighbor("other", bus.target.transport_url, is_parent=True, driver=bus.target.driver)
        sender.send_message_to_cell(bus.target, message("1"))
        sender.send_message_to_cell(other, message("2"))
        sender.close_link(other)
        sender.send_message_to_cell(bus.target, message("3"))
        manager.wait_for("1", "2", "3")

    def test_threads_may_send_concurrently(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()

        def send(thread: int) -> None:
            for number in range(10):
                sender.send_message_to_cell(bus.target, message(f"{thread}/{number}"))

        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        manager.wait_for(*(f"{thread}/{number}" for thread in range(4) for number in range(10)))

    def test_servers_may_be_stopped_twice_and_before_a_start(self, bus: Bus) -> None:
        driver = bus.driver()
        driver.stop_servers()
        manager = bus.manager()
        manager.driver.stop_servers()
        manager.driver.stop_servers()

    def test_servers_may_be_restarted(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        manager.driver.stop_servers()
        manager.start()
        sender.send_message_to_cell(bus.target, message("again"))
        manager.wait_for("again")

    def test_stop_waits_for_messages_in_progress(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        is_over, done = threading.Event(), []

        def handle(text: str) -> None:
            assert is_over.wait(30), "The test never ended"
            done.append(text)

        manager.handle = handle
        post(sender, bus.target, message("slow"))
        poll(lambda: manager.received, "the message is being handled")
        stopping = threading.Thread(target=manager.driver.stop_servers)
        stopping.start()
        stopping.join(0.2)
        assert stopping.is_alive()
        is_over.set()
        stopping.join(20)
        assert not stopping.is_alive()
        assert done == ["slow"]

    def test_manager_that_stopped_taking_requests_still_gets_responses(self, bus: Bus) -> None:
        stops, stays, sender = bus.manager(), bus.manager(), bus.sender()
        stops.driver.stop_taking(frozenset(("targeted", "broadcast")))
        sender.send_message_to_cell(bus.target, message("answer", "response", server=stops.name))
        sender.send_message_to_cell(bus.target, message("news", "response", fanout=True))
        stops.wait_for("answer", "news")
        stays.wait_for("news")
        for number in range(10):
            sender.send_message_to_cell(bus.target, message(str(number)))
        poll(lambda: len(stops.received + stays.received) >= 13, "each request is taken")
        requests = sorted(text for text in stops.received + stays.received if text.isdigit())
        assert requests == [str(number) for number in range(10)]
        stops.driver.stop_servers()

    def test_messages_go_to_the_remaining_managers_after_one_stops(self, bus: Bus) -> None:
        gone, stays, sender = bus.manager(), bus.manager(), bus.sender()
        gone.driver.stop_servers()
        for number in range(10):
            sender.send_message_to_cell(bus.target, message(str(number)))
        sender.send_message_to_cell(bus.target, message("all", fanout=True))
        stays.wait_for(*map(str, range(10)), "all")
        assert gone.received == []

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_messages_of_one_cast_reach_exactly_one_manager_in_order(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.sender()
        casts = [[f"{cast}/{number}" for number in range(10)] for cast in range(20)]
        for texts in casts:
            sender.send_messages_to_cell(bus.target, batch(texts, message_type))
        poll(lambda: sum(len(manager.received) for manager in managers) >= 200, "all arrive")
        assert sorted(managers[0].casts + managers[1].casts) == sorted(casts)
        assert all(manager.received == list(itertools.chain(*manager.casts)) for manager in managers)
        assert all(manager.casts for manager in managers)

    def test_casts_of_one_sender_to_one_manager_arrive_in_order(self, bus: Bus) -> None:
        manager, sender = bus.manager(), bus.sender()
        for number in range(20):
            sender.send_messages_to_cell(bus.target, batch([f"{number}a", f"{number}b"]))
            sender.send_message_to_cell(bus.target, message(f"{number}c"))
        poll(lambda: len(manager.received) >= 60, "all arrive")
        assert manager.received == [f"{number}{letter}" for number in range(20) for letter in "abc"]

    def test_cast_of_several_messages_may_be_a_fanout(self, bus: Bus) -> None:
        managers, sender = [bus.manager(), bus.manager()], bus.sender()
        sender.send_messages_to_cell(bus.target, batch(["1", "2"], fanout=True))
        for manager in managers:
            manager.wait_for("1", "2")
            assert manager.casts == [["1", "2"]]

    def test_batch_may_consist_of_one_message(self, bus: Bus) -> None:
        manager = bus.manager()
        bus.sender().send_messages_to_cell(bus.target, batch(["alone"]))
        manager.wait_for("alone")

    def test_items_arrive_unchanged(self, bus: Bus) -> None:
        manager = bus.manager()
        texts = ["Größe \u2028 \U0001f600 \\ \" ' \x7f {}", "", "xü" * 100_000, '{"a": [1, "\\u00e9"]}']
        bus.sender().send_messages_to_cell(bus.target, batch(texts))
        manager.wait_for(*texts)
        assert manager.casts == [texts]

    @pytest.mark.parametrize("message_type", MESSAGE_TYPES)
    def test_message_for_one_manager_reaches_only_that_manager(self, bus: Bus, message_type: str) -> None:
        managers, sender = [bus.manager(), bus.manager(), bus.manager()], bus.sender()
        for manager in managers:
            name = manager.name
            sender.send_message_to_cell(bus.target, message(f"alone for {name}", message_type, server=name))
            sender.send_messages_to_cell(
                bus.target, batch([f"1 for {name}", f"2 for {name}"], message_type, server=name)
            )
        for manager in managers:
            manager.wait_for(*(f"{text} for {manager.name}" for text in ("alone", "1", "2")))

    def test_stopped_manager_does_not_make_the_neighbor_unreachable(self, bus: Bus) -> None:
        gone, stays, sender = bus.manager(), bus.manager(), bus.sender()
        gone.driver.stop_servers()
        # A broker may keep the queue of a stopped manager for some time, in case the manager restarts.
        with contextlib.suppress(exceptions.ManagerGone):
            bus.sender().send_message_to_cell(bus.target, message("lost", "response", server=gone.name))
        with contextlib.suppress(exceptions.ManagerGone):
            bus.sender().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server=gone.name))
        with pytest.raises(exceptions.ManagerGone) as alone:
            sender.send_message_to_cell(bus.target, message("lost", "response", server="never-was-there"))
        # On a connection of its own: amqp confuses the confirmation of a returned message with that of the next one.
        with pytest.raises(exceptions.ManagerGone) as together:
            bus.sender().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server="never-was-there"))
        assert [caught.value.cell for caught in (alone, together)] == [bus.target.name] * 2
        sender.send_message_to_cell(bus.target, message("found", "response"))
        stays.wait_for("found")
        assert gone.received == []

    @pytest.mark.parametrize(
        "name", ["x" * 255, "ü" * 255, "a.b", "#", "*", "a:b/c?d=e", "{}", "'"], ids=lambda name: ascii(name[:5])
    )
    def test_impossible_manager_name_does_not_make_the_neighbor_unreachable(self, bus: Bus, name: str) -> None:
        """A remote cell chooses the name in the address of its replies, and must not be able to break the link."""
        stays, sender = bus.manager(), bus.sender()
        with pytest.raises(exceptions.ManagerGone):
            sender.send_message_to_cell(bus.target, message("lost", "response", server=name))
        with pytest.raises(exceptions.ManagerGone):
            bus.sender().send_messages_to_cell(bus.target, batch(["lost", "too"], "response", server=name))
        sender.send_message_to_cell(bus.target, message("found", "response"))
        stays.wait_for("found")

    def test_batch_for_an_unreachable_neighbor_is_an_error(self, bus: Bus) -> None:
        with pytest.raises(exceptions.NeighborUnreachable) as caught:
            bus.sender().send_messages_to_cell(bus.unreachable, batch(["lost", "too"]))
        assert caught.value.cell == "nowhere"


def opened(bus: Bus) -> Iterator[Bus]:
    """Fixture body: yield the bus and close it afterwards."""
    try:
        yield bus
    finally:
        bus.close()
