"""Managers whose sessions are joined by pipes of bytes, and the fate of each message that they send."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from cells.drivers.direct.events import Acknowledged, Connected, Ended, Event, MayHaveArrived, NotSent, Received
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Hello, Window, Windows
from cells.drivers.direct.session import Session, State
from cells.drivers.direct.session_settings import SessionSettings
from cells.drivers.direct.stream import Stream
from tests.clock import Clock

HEARTBEAT = 2.0


def hello(name: str, incarnation: str = "", window: Window | None = None, **options: object) -> Hello:
    windows = Windows(*[window or Window()] * 3)
    return Hello(
        cell=f"cell-{name}",
        host=f"host-{name}",
        incarnation=(incarnation or name) * 16,
        version="1.9",
        heartbeat=HEARTBEAT,
        credit=windows,
        **options,  # type: ignore[arg-type]
    )


class Manager:
    """One process: its sessions, its streams, and what has happened to its messages."""

    def __init__(self, own: Hello, clock: Clock, queue: Window | None = None) -> None:
        self.own = own
        self.clock = clock
        self.settings = SessionSettings(queues=Windows(*[queue] * 3)) if queue is not None else SessionSettings()
        self.streams: dict[str, Stream] = {}
        self.sent: set[object] = set()
        self.outcomes: dict[object, list[type[Event]]] = defaultdict(list)
        #: by incarnation of the sender, and class
        self.taken: dict[tuple[str, MessageClass], list[bytes]] = defaultdict(list)
        #: messages whose credit is not returned
        self.received: list[tuple[Session, Received]] = []
        self.ended: list[Exception] = []
        self.events: list[Event] = []

    def connect(self, *, dialed: bool) -> Session:
        return Session(self.own, self.stream, self.clock, dialed=dialed, settings=self.settings)

    def stream(self, peer: Hello) -> Stream:
        return self.streams.setdefault(peer.incarnation, Stream(self.own.incarnation, peer.incarnation))

    def send(
        self,
        session: Session,
        message_class: MessageClass,
        payload: bytes,
        key: object = None,
        *,
        is_urgent: bool = False,
    ) -> bool:
        key = (message_class, payload) if key is None else key
        is_accepted = session.send(message_class, payload, key, is_urgent=is_urgent)
        if is_accepted:
            assert key not in self.sent
            self.sent.add(key)
        return is_accepted

    def record(self, session: Session | None, events: list[Event]) -> list[Event]:
        self.events += events
        for event in events:
            if isinstance(event, (Acknowledged, NotSent, MayHaveArrived)):
                for key in event.keys:
                    self.outcomes[key].append(type(event))
            elif isinstance(event, Received):
                assert session is not None
                assert session.peer is not None
                assert len(event.ages) == len(event.payloads)
                self.taken[session.peer.incarnation, event.message_class] += event.payloads
                self.received.append((session, event))
            elif isinstance(event, Ended):
                self.ended.append(event.error)
        return events

    def return_credit(self) -> None:
        """Return the credit of all messages that were received."""
        for session, event in self.received:
            session.release(event.message_class, len(event.payloads), event.charge)
        self.received.clear()

    def payloads(self, message_class: MessageClass = MessageClass.REQUEST) -> list[bytes]:
        return [payload for (_, found), taken in self.taken.items() if found is message_class for payload in taken]

    def of(self, outcome: type[Event]) -> set[object]:
        return {key for key, outcomes in self.outcomes.items() if outcomes == [outcome]}


@dataclass
class End:
    """One end of a connection, and the bytes on their way to it."""

    manager: Manager
    session: Session
    pipe: bytearray = field(default_factory=bytearray)
    #: whether the process still reads and writes it
    is_held: bool = True


class Joined:
    """A connection."""

    def __init__(self, dialer: Manager, acceptor: Manager) -> None:
        self.ends = (End(dialer, dialer.connect(dialed=True)), End(acceptor, acceptor.connect(dialed=False)))

    def pull(self, side: int, limit: int = 1 << 20) -> bytes:
        """Write the bytes of one side."""
        end, other = self.ends[side], self.ends[1 - side]
        data = end.session.bytes_to_send(limit) if end.is_held else b""
        other.pipe += data
        return data

    def deliver(self, side: int, count: int = 1 << 30) -> list[Event]:
        """Hand ``count`` bytes, which are on their way, to one side."""
        end = self.ends[side]
        data = bytes(end.pipe[:count])
        del end.pipe[: len(data)]
        return end.manager.record(end.session, end.session.receive(data)) if end.is_held else []

    def run(self) -> None:
        """Exchange bytes until both sides have nothing to say."""
        while self.pull(0) or self.pull(1):
            self.pull(1)
            self.deliver(1)
            self.deliver(0)

    def settle(self) -> None:
        """Exchange bytes, also those that may wait for a moment."""
        self.run()
        for end in self.ends:
            end.manager.clock.advance(0.05)
        self.run()

    def lose(self, side: int) -> None:
        """Let one side find that the connection is gone; the other side may still read what is on its way."""
        end = self.ends[side]
        if end.is_held:
            end.manager.record(end.session, end.session.lost("reset by peer"))
            end.is_held = False
            end.pipe.clear()

    def cut(self) -> None:
        """Break the connection for both sides, with all bytes that are on their way."""
        self.lose(0)
        self.lose(1)

    @property
    def is_open(self) -> bool:
        return all(end.session.state is State.OPEN for end in self.ends)

    @property
    def left(self) -> Session:
        return self.ends[0].session

    @property
    def right(self) -> Session:
        return self.ends[1].session


def connected(events: list[Event]) -> bool:
    return any(isinstance(event, Connected) for event in events)
