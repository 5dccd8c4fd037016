"""Dial: one address of a neighbor, at which this side connects again and again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from cells import exceptions
from cells.drivers.direct.loop import Alarm, Loop
from cells.limited_log import LastingProblem
from cells.transport import socket_address
from cells.transport.socket_address import SocketAddress
from cells.worker_threads import Clock

LOG = logging.getLogger(__name__)

#: Pauses between attempts: the first, and the longest.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
#: A name that is not looked up within this time leads to the same addresses as before: a cut may also cut off the name
#: servers, and they may answer only when it is over.
LOOKUP_SECONDS = 1.0
#: Time between two lines of the log about one address.
_LOG_PAUSE_SECONDS = 60.0
#: The pause after an address has led to a manager with which a connection exists already.
_SATISFIED_PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Dialing:
    """What all dials of one manager share."""

    #: runs a function, which may block, on another thread
    resolve: Callable[[Callable[[], None]], None]
    #: opens a connection, on the thread of the loop; :meth:`Dial.ended` is called when it has ended
    connect: Callable[[Dial, SocketAddress], object]
    clock: Clock
    #: takes the name of a neighbor, and the error because of which an address of it cannot be dialed
    on_failure: Callable[[str, str, Exception], object]


class Dial:
    """Thread-safe."""

    def __init__(self, neighbor: str, text: str, loop: Loop, dialing: Dialing) -> None:
        """:param text: the address"""
        self.neighbor = neighbor
        self.text = text
        self.loop = loop
        self._dialing = dialing
        #: why the name does not lead to addresses, and why the addresses do not lead to a manager
        self._name_problem = LastingProblem(LOG, dialing.clock, _LOG_PAUSE_SECONDS)
        self._problem = LastingProblem(LOG, dialing.clock, _LOG_PAUSE_SECONDS)
        self._alarm = Alarm(loop, self._ring)
        self._starts_at = loop.now()
        self._attempts = 0
        self._connected_at = 0.0
        #: the addresses of this attempt that were not tried
        self._addresses: list[SocketAddress] = []
        #: those to which the name led last
        self._known: list[SocketAddress] = []
        #: whether a thread looks the name up, and whether the attempt waits for it
        self._is_looking_up = self._waits_for_name = False
        #: whether an attempt runs or has led to a connection
        self._is_busy = False
        self._is_satisfied = False
        self._is_stopped = False
        self._alarm.set(self._starts_at)

    @property
    def is_connecting(self) -> bool:
        """Whether an attempt is under way."""
        return self._is_busy and not self._connected_at

    def stop(self) -> None:
        """Make no more attempts; a connection stays."""
        self._is_stopped = True

    def connected(self) -> None:
        """Take note that the attempt has led to a connection."""
        self._connected_at = self.loop.now()
        # The node logs that the neighbor is connected.
        self._problem.end()

    def failed(self, error: Exception) -> None:
        """Log why an attempt has not led to a connection."""
        self._log(self._problem, error)

    def ended(self, *, is_satisfied: bool) -> None:
        """Try again, after a pause.

        :param is_satisfied: whether another connection leads to the same manager
        """
        self.loop.call(lambda: self._pause(is_satisfied))

    def retry(self) -> None:
        """Connect soon, if the manager at this address had another connection: it may have none now."""
        self.loop.call(self._retry)

    def _ring(self) -> None:
        if self._is_stopped or (self._is_busy and not self._waits_for_name):
            return
        if self.loop.now() < self._starts_at:
            self._alarm.set(self._starts_at)
        elif not self._waits_for_name:
            self._start()
        elif self._known:
            self._dial(self._known)

    def _start(self) -> None:
        self._is_busy, self._is_satisfied, self._waits_for_name = True, False, True
        self._connected_at = 0.0
        if not self._is_looking_up:
            self._is_looking_up = True
            try:
                self._dialing.resolve(self._look_up)
            except exceptions.CellsError as error:
                self._is_looking_up = False
                self._not_found(error)
                return
        if self._known:
            self._starts_at = self.loop.now() + LOOKUP_SECONDS
            self._alarm.set(self._starts_at)

    def _look_up(self) -> None:
        try:
            found = socket_address.resolve(self.text)
        except exceptions.CellsError as raised:
            error = raised
            self.loop.call(lambda: self._found([], error))
        else:
            self.loop.call(lambda: self._found(found))

    def _found(self, addresses: list[SocketAddress], error: exceptions.CellsError | None = None) -> None:
        self._is_looking_up = False
        self._known = addresses or self._known
        if self._waits_for_name and error is not None:
            self._not_found(error)
            return
        if error is None:
            self._name_problem.end("Cell %s: its address %s leads somewhere again.", self.neighbor, self.text)
            if self._waits_for_name:
                self._dial(addresses)

    def _not_found(self, error: exceptions.CellsError) -> None:
        self._log(self._name_problem, error)
        self._dialing.on_failure(self.neighbor, self.text, error)
        if self._known:
            self._dial(self._known)
        else:
            self._pause(is_satisfied=False)

    def _dial(self, addresses: list[SocketAddress]) -> None:
        self._addresses, self._waits_for_name = list(addresses), False
        self._dial_next()

    def _dial_next(self) -> None:
        if not self._is_stopped:
            self._connected_at = 0.0
            try:
                self._dialing.connect(self, self._addresses.pop(0))
            except OSError as error:
                self.failed(error)
                self._dialing.on_failure(self.neighbor, self.text, error)
                self._pause(is_satisfied=False)

    def _log(self, problem: LastingProblem, error: Exception) -> None:
        problem.log(logging.WARNING, "Cell %s cannot be dialed at %s: %s", self.neighbor, self.text, error)

    def _pause(self, is_satisfied: bool) -> None:
        if self._is_stopped:
            return
        if self._connected_at:
            # Not at once after a connection that has ended at once.
            self._attempts = 0 if self.loop.now() - self._connected_at > LONGEST_PAUSE_SECONDS else self._attempts
            self._addresses = []
        elif self._addresses and not is_satisfied:
            self._dial_next()
            return
        if is_satisfied:
            pause = _SATISFIED_PAUSE_SECONDS
        else:
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._attempts, 10))
            self._attempts += 1
        self._is_busy, self._is_satisfied, self._waits_for_name = False, is_satisfied, False
        self._start_in(pause)

    def _retry(self) -> None:
        if self._is_satisfied and not self._is_busy:
            self._is_satisfied = False
            self._start_in(FIRST_PAUSE_SECONDS)

    def _start_in(self, pause: float) -> None:
        # Many managers that lose the same neighbor must not come back at the same moment.
        self._starts_at = self.loop.now() + pause * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        self._alarm.set(self._starts_at)
