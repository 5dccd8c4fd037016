"""SiblingTraffic: the help between the managers of one cell, over the bus of the cell.

Each manager tells the others its connections.  A manager without a connection to a neighbor passes its messages to a
sibling that has one, once.  A manager that receives a message for siblings, an answer or a copy of a fan-out, hands it
over to them, once.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from functools import partial
from typing import NamedTuple, Protocol

from cells import exceptions
from cells.counters import Counters
from cells.drivers.base import MAX_MESSAGES_OF_CAST
from cells.drivers.direct.addressees import head_of, is_fanout, other_manager
from cells.drivers.direct.availability import fresh, is_unsent
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello
from cells.drivers.direct.lanes import Lanes
from cells.drivers.direct.loop import Alarm
from cells.drivers.direct.message import Message, TakeOutcomes
from cells.drivers.direct.siblings import INTERVAL_SECONDS, Siblings
from cells.drivers.siblings import Links, Outcome, Parcel, SiblingBus
from cells.futures import gather
from cells.limited_log import LastingProblem, LimitedLog
from cells.worker_threads import Runtime, WorkerThreads

LOG = logging.getLogger(__name__)

#: Calls over the bus at a time.
_THREADS = 8
#: Connections that open or end within this time are told once.
_DEBOUNCE_SECONDS = 0.05
#: For how long a sibling waits at most until the neighbor takes a message; a sibling that does not answer by then has
#: stopped.
_PASS_SECONDS = 30.0
_STOP_SECONDS = 2.0

#: Time between two lines of the log about siblings that hear nothing.
_LOG_PAUSE_SECONDS = 60.0

#: Takes a message of a neighbor that another manager of this cell has received, and its age in seconds.
OnHandedOver = Callable[[str, Sequence[bytes], float], object]


class Node(Protocol):
    """The part of a node that this module calls."""

    def connections(self) -> dict[str, tuple[str, ...]]: ...

    def hosts(self, neighbor: str) -> tuple[str, ...]: ...

    def reach_through(self, neighbor: str, siblings: tuple[str, ...]) -> None: ...

    def send(self, neighbor: str, *messages: Message) -> None: ...

    def alarm(self, ring: Callable[[], None]) -> Alarm: ...


class _Handed(NamedTuple):
    payload: str
    #: when the neighbor has sent it, in seconds of the clock
    sent_at: float


class SiblingTraffic:
    """Implements :class:`cells.drivers.siblings.Sibling`.  Thread-safe; no method but :meth:`close` blocks."""

    def __init__(  # noqa: PLR0913  # the parts of the driver
        self,
        own: Hello,
        bus: SiblingBus,
        secret: Callable[[], bytes],
        on_handed_over: OnHandedOver,
        runtime: Runtime,
        counters: Counters,
    ) -> None:
        """:param secret: as of :meth:`cells.drivers.siblings.SiblingBus.start`"""
        self._own = own
        self._bus = bus
        self._secret = secret
        self._on_handed_over = on_handed_over
        self._clock = runtime.clock
        self._counters = counters
        self._log = LimitedLog(LOG, runtime.clock)
        self._silence = LastingProblem(LOG, runtime.clock, _LOG_PAUSE_SECONDS)
        self._siblings = Siblings(own.host)
        self._lock = threading.Lock()
        #: held while the links are told, so that the last one tells the newest
        self._reaching = threading.Lock()
        self._starting = threading.Lock()
        self._threads = WorkerThreads(_THREADS, 1000, "cells-direct-siblings", runtime.spawn)
        self._passed: Lanes[tuple[str, str, MessageClass], tuple[Message, TakeOutcomes]] = Lanes(
            self._threads, self._forward, lambda item: len(item[0].payload)
        )
        self._handed: Lanes[tuple[str, str], _Handed] = Lanes(
            self._threads, self._hand_over, lambda item: len(item.payload)
        )
        self._node: Node | None = None
        self._alarm: Alarm | None = None
        self._is_serving = False
        self._is_leaving = False
        self._has_stopped_serving = False
        self._is_closed = False

    @property
    def has_siblings(self) -> bool:
        return bool(self._siblings.hosts)

    def start(self, node: Node) -> None:
        """Tell the connections of a node from now on.  May be called again, when its neighbors have changed."""
        if self._node is None:
            self._node, self._alarm = node, node.alarm(self._ring)
        self._reach()
        self.tell_soon()

    def tell_soon(self) -> None:
        """Tell the connections, which have changed."""
        if self._alarm is not None:
            self._alarm.set(self._clock() + _DEBOUNCE_SECONDS)

    def leave(self) -> None:
        """Take no more messages of siblings; hand over on."""
        self._is_leaving = True
        self.tell_soon()

    def stop_serving(self) -> None:
        """Receive nothing more from siblings."""
        self._has_stopped_serving = True
        self._bus.stop_serving()

    def close(self) -> None:
        """Say goodbye to the siblings, and end the threads.  May block for seconds."""
        self._is_closed = True
        self._threads.stop(_STOP_SECONDS)
        if self._is_serving:
            self._is_serving = False
            self._tell_links(None)
        self._bus.close()

    def reached(self, neighbor: str) -> frozenset[str]:
        """Return the managers of a neighbor to which siblings have a connection."""
        with self._lock:
            return self._siblings.reached(neighbor)

    # The connections.

    def _ring(self) -> None:
        """Tell the connections; runs on the thread of a loop."""
        if self._is_closed or self._alarm is None:
            return
        with self._lock:
            self._siblings.expire(self._clock())
        self._reach()
        self._start_telling()
        if self._node is not None and self._node.connections():
            self._alarm.set(self._clock() + INTERVAL_SECONDS)

    def _start_telling(self, host: str = "") -> None:
        try:
            self._threads.run(partial(self._tell, host))
        except exceptions.CellsError as error:
            LOG.debug("The connections of this manager are told later: %s", error.message)

    def _tell(self, host: str) -> None:
        if self._node is None or self._is_closed:
            return
        links = self._node.connections()
        self._tell_links(dict.fromkeys(links, ()) if self._is_leaving else links, host)

    def _tell_links(self, links: Links | None, host: str = "") -> None:
        if self._has_stopped_serving and not self.has_siblings:
            # The broker may have removed the exchange with the last queue, and the library would log an error.
            return
        try:
            with self._starting:
                if not self._is_serving and not self._is_closed:
                    self._bus.start(self, self._secret)
                    self._is_serving = True
            self._bus.tell(self._own.incarnation, links, host)
            self._silence.end("The other managers of this cell hear of the connections of this one again.")
        except Exception as error:  # kombu, amqp, ssl and socket each raise classes of their own
            text = "The other managers of this cell do not hear of the connections of this one: %s: %s"
            self._silence.log(logging.INFO, text, type(error).__name__, error)

    def hear(self, host: str, incarnation: str, links: Links | None) -> None:
        if host == self._own.host or self._is_closed:
            return
        with self._lock:
            is_new = self._siblings.hear(host, incarnation, links, self._clock())
        self._reach()
        if is_new:
            self._start_telling(host)

    def _reach(self) -> None:
        """Tell each link which siblings have a connection."""
        node = self._node
        if node is None:
            return
        with self._reaching:
            for neighbor in node.connections():
                with self._lock:
                    through = self._siblings.through(neighbor)
                node.reach_through(neighbor, through)

    # Messages to neighbors.

    def pass_on(self, neighbor: str, take_outcomes: TakeOutcomes, message: Message) -> bool:
        """Let a sibling send a message; as :data:`cells.drivers.direct.message.PassOn`."""
        with self._lock:
            host = self._siblings.choose(neighbor)
        lane = host, neighbor, message.message_class
        return bool(host) and self._passed.put(lane, (message, take_outcomes), neighbor)

    def _forward(self, lane: tuple[str, str, MessageClass], items: list[tuple[Message, TakeOutcomes]]) -> None:
        host, neighbor, _ = lane
        messages = [message for message, _ in items]
        try:
            outcomes = self._ask(host, neighbor, messages)
        except exceptions.CellsError as error:
            outcomes = [fresh(error) for _ in items]
        except Exception as error:  # a bug; the callers get an error
            LOG.exception("Messages for cell %s could not be passed to manager %s.", neighbor, host)
            text = f"A manager of this cell has failed: {type(error).__name__}. {exceptions.MAY_HAVE_ARRIVED}"
            outcomes = [exceptions.NeighborUnreachable(text, cell=neighbor, may_arrive=True) for _ in items]
        if any(is_unsent(outcome) for outcome in outcomes):
            with self._lock:
                self._siblings.forget(host, neighbor)
            self._reach()
        taken: dict[TakeOutcomes, list[tuple[Message, Outcome]]] = {}
        for (message, take_outcomes), outcome in zip(items, outcomes, strict=True):
            taken.setdefault(take_outcomes, []).append((message, outcome))
        for take_outcomes, found in taken.items():
            take_outcomes(found)

    def _ask(self, host: str, neighbor: str, messages: Sequence[Message]) -> list[Outcome]:
        with self._lock:
            is_connected = host in self._siblings.through(neighbor)
        if not is_connected:
            # It was, when the messages came into the lane.
            raise exceptions.NeighborUnreachable(f"Manager {host} has no connection any more.", cell=neighbor)
        return self._bus.forward(host, neighbor, [self._parcel(message) for message in messages])

    def _parcel(self, message: Message) -> Parcel:
        left = _PASS_SECONDS if message.deadline is None else message.deadline - self._clock()
        return Parcel(
            message_class=int(message.message_class),
            payload=message.payload.decode(),
            server=message.server,
            fanout=message.fanout,
            seconds=max(0.0, min(left, _PASS_SECONDS)),
        )

    def forward(self, neighbor: str, parcels: Sequence[Parcel]) -> futures.Future[list[Outcome]]:
        outcomes: dict[int, futures.Future[Outcome]] = {number: futures.Future() for number in range(len(parcels))}
        now, node = self._clock(), self._node
        messages = [
            Message(
                message_class=MessageClass(parcel.message_class),
                payload=parcel.payload.encode(),
                on_done=outcome.set_result,
                server=parcel.server,
                fanout=parcel.fanout,
                deadline=now + parcel.seconds,
                is_passed=True,
            )
            for parcel, outcome in zip(parcels, outcomes.values(), strict=True)
        ]
        if node is not None:
            node.send(neighbor, *messages)
        else:
            for message in messages:
                message.on_done(exceptions.NeighborUnreachable("This manager has no direct links.", cell=neighbor))
        return gather(outcomes, lambda found: [found[number] for number in sorted(found)])

    # Messages of neighbors.

    def sort(self, neighbor: str, sender: str, came: object) -> object:
        """Hand over the messages for siblings; return those for this manager: such an argument, or None.

        :param sender: the host of the manager that has sent it
        :param came: the text of a message, or a list of the objects of messages
        """
        if isinstance(came, list):
            if len(came) > MAX_MESSAGES_OF_CAST:
                return came  # the router refuses it
            return [one for one in came if self._is_for_this(neighbor, sender, one, "")] or None
        if not isinstance(came, str):
            return came
        return came if self._is_for_this(neighbor, sender, head_of(came), came) else None

    def _is_for_this(self, neighbor: str, sender: str, message: object, text: str) -> bool:
        """:param text: of a message that travels alone; empty: it is an item of a list"""
        if not isinstance(message, dict):
            return True
        waiting = other_manager(message, self._own.cell, self._siblings.hosts)
        if waiting:
            self._hand((waiting,), neighbor, message, text)
        elif is_fanout(message) and not self._is_leaving:
            with self._lock:
                hosts = self._siblings.recipients(neighbor, sender)
            self._hand(hosts, neighbor, message, text)
        return not waiting

    def _hand(self, hosts: Sequence[str], neighbor: str, message: object, text: str) -> None:
        if hosts:
            handed = _Handed(text or f"[{json.dumps(message)}]", self._clock())
            for host in hosts:
                if not self._handed.put((host, neighbor), handed, neighbor):
                    self._lose(host, 1, exceptions.ManagerBusy("too many messages wait for it"))

    def _hand_over(self, lane: tuple[str, str], items: list[_Handed]) -> None:
        host, neighbor = lane
        age = self._clock() - items[0].sent_at
        try:
            self._bus.hand_over(host, neighbor, [item.payload for item in items], age)
        except exceptions.CellsError as error:
            self._lose(host, len(items), error)

    def _lose(self, host: str, count: int, error: exceptions.CellsError) -> None:
        self._counters.count("stranded", type(error).__name__, times=count)
        text = "Messages of other cells are not handed over to manager %s of this cell: %s"
        self._log.warn_about(f"hand over {host}", text, host, error.message)

    def take(self, neighbor: str, payloads: Sequence[str], age_seconds: float) -> None:
        self._on_handed_over(neighbor, [payload.encode() for payload in payloads], age_seconds)
