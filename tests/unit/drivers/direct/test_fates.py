"""Two managers over connections that break at any byte: each message has one fate, and none is handed on twice."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cells.drivers.direct import errors
from cells.drivers.direct.events import Acknowledged, MayHaveArrived, NotSent
from cells.drivers.direct.frames import MessageClass
from cells.drivers.direct.hello import Window
from cells.drivers.direct.session import State
from tests.clock import Clock
from tests.unit.drivers.direct.joined import End, Joined, Manager, hello

SIDES = st.integers(0, 1)
CHOICES = st.integers(0, 11)
MESSAGES = st.lists(st.tuples(st.sampled_from(MessageClass), st.sampled_from([5, 700, 9000])), min_size=1, max_size=5)
#: of bytes that are written, and that are read
LIMITS = st.sampled_from([1, 5000, 100_000])
COUNTS = st.one_of(st.integers(0, 12_000), st.just(1 << 20))
QUEUE = Window(messages=12, bytes=30_000)
WINDOW = Window(messages=4, bytes=5000)
MAX_CONNECTIONS = 4


class Fates(RuleBasedStateMachine):
    """Both sides dial, send, stall, break, restart and forget."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.processes = 0
        self.messages = 0
        self.connections: list[Joined] = []
        #: processes that live, one per side, and all that have lived
        self.managers = [self.new_manager(0), self.new_manager(1)]
        self.everybody = list(self.managers)

    def new_manager(self, side: int) -> Manager:
        self.processes += 1
        own = hello("ab"[side], f"{self.processes:04d}", WINDOW, max_frame_bytes=4096)
        return Manager(own, self.clock, QUEUE)

    def open_connection(self, choice: int) -> Joined:
        """Return a connection over which a message can be sent; dial if there is none."""
        links = [link for link in self.connections if any(end.session.state is State.OPEN for end in link.ends)]
        if not links:
            self.dial(choice % 2, True)
            links = self.connections[-1:]
        return links[choice % len(links)]

    def any_end(self, choice: int, side: int) -> tuple[Joined, End]:
        link = self.connections[choice % len(self.connections)]
        return link, link.ends[side]

    @rule(side=SIDES, is_complete=st.booleans())
    def dial(self, side: int, is_complete: bool) -> None:
        if len(self.connections) >= MAX_CONNECTIONS:
            self.connections.pop(0).cut()
        link = Joined(self.managers[side], self.managers[1 - side])
        self.connections.append(link)
        # Later statements of one process have later times.
        self.clock.advance(0.001)
        if is_complete:
            link.run()

    @rule(choice=CHOICES, side=SIDES, messages=MESSAGES, limit=LIMITS, count=COUNTS)
    def send(self, choice: int, side: int, messages: list[tuple[MessageClass, int]], limit: int, count: int) -> None:
        link = self.open_connection(choice)
        end = link.ends[side]
        for message_class, size in messages if end.is_held else ():
            self.messages += 1
            end.manager.send(end.session, message_class, f"{self.messages:05d}".encode().ljust(size))
        assert len(link.pull(side, limit)) <= limit + 3 * 4096
        link.deliver(1 - side, count)

    @precondition(lambda self: self.connections)
    @rule(choice=CHOICES, side=SIDES, limit=LIMITS, count=COUNTS)
    def move(self, choice: int, side: int, limit: int, count: int) -> None:
        """Write and read some bytes of one side."""
        link, _ = self.any_end(choice, side)
        link.pull(side, limit)
        link.deliver(1 - side, count)

    @precondition(lambda self: self.connections)
    @rule(choice=CHOICES, returns_credit=st.booleans())
    def exchange(self, choice: int, returns_credit: bool) -> None:
        link, _ = self.any_end(choice, 0)
        link.run()
        if returns_credit:
            for manager in self.managers:
                manager.return_credit()
            link.settle()

    @precondition(lambda self: self.connections)
    @rule(choice=CHOICES, side=SIDES, kept=st.one_of(st.integers(0, 20_000), st.just(1 << 20)), is_read=st.booleans())
    def break_off(self, choice: int, side: int, kept: int, is_read: bool) -> None:
        """One side gives a connection up; the other may find bytes in its socket, now or later."""
        link, _ = self.any_end(choice, side)
        link.pull(side)
        link.lose(side)
        del link.ends[1 - side].pipe[kept:]
        if is_read:
            link.deliver(1 - side)
            link.lose(1 - side)

    @precondition(lambda self: self.connections)
    @rule(choice=CHOICES, side=SIDES, classes=st.frozensets(st.sampled_from(MessageClass)))
    def say_goodbye(self, choice: int, side: int, classes: frozenset[MessageClass]) -> None:
        """To some classes, or to all."""
        _, end = self.any_end(choice, side)
        if classes:
            end.session.stop_taking(classes)
        elif end.is_held:
            end.manager.record(end.session, end.session.leave("SIGTERM"))

    @rule(side=SIDES, trouble=st.sampled_from(["silence", "forget", "kill"]))
    def trouble(self, side: int, trouble: str) -> None:
        manager = self.managers[side]
        ends = [end for link in self.connections for end in link.ends]
        if trouble == "silence":
            self.clock.advance(7.0)
            for end in ends:
                if end.is_held:
                    end.manager.record(end.session, end.session.tick())
        elif trouble == "forget":
            # It gives up the messages for a peer without a connection, and forgets the peer.
            for link in self.connections:
                for number, end in enumerate(link.ends):
                    if end.manager is manager:
                        link.lose(number)
            for stream in manager.streams.values():
                manager.record(None, stream.give_up())
            manager.streams.clear()
            self.clock.advance(0.001)
        else:
            # It ends without a word; its successor has another incarnation.
            for end in ends:
                end.is_held = end.is_held and end.manager is not manager
            self.managers[side] = self.new_manager(side)
            self.everybody.append(self.managers[side])

    @invariant()
    def connections_that_ended_are_closed(self) -> None:
        for link in self.connections:
            for side, end in enumerate(link.ends):
                if end.is_held and end.session.state is State.ENDED:
                    end.manager.record(end.session, end.session.tick())
                    link.pull(side)
                    end.is_held = False
        self.connections = [link for link in self.connections if any(end.is_held for end in link.ends)]

    @invariant()
    def nothing_is_handed_on_twice(self) -> None:
        for manager in self.everybody:
            for taken in manager.taken.values():
                numbers = [payload[:5] for payload in taken]
                assert numbers == sorted(set(numbers))

    @invariant()
    def fates_are_true(self) -> None:
        taken = {
            (message_class, payload)
            for manager in self.everybody
            for (_, message_class), payloads in manager.taken.items()
            for payload in payloads
        }
        for manager in self.everybody:
            assert all(len(outcomes) == 1 for outcomes in manager.outcomes.values())
            assert manager.of(Acknowledged) <= taken
            assert not manager.of(NotSent) & taken
            assert len(manager.sent) - len(manager.outcomes) <= 3 * QUEUE.messages * len(self.everybody)
            assert not any(isinstance(error, errors.ProtocolViolation) for error in manager.ended), manager.ended

    def teardown(self) -> None:
        for link in self.connections:
            link.cut()
        for manager in self.managers:
            for stream in manager.streams.values():
                manager.record(None, stream.give_up())
            assert len(manager.of(Acknowledged) | manager.of(NotSent) | manager.of(MayHaveArrived)) == len(manager.sent)
        self.fates_are_true()


TestFates = Fates.TestCase
TestFates.settings = settings(stateful_step_count=30)
