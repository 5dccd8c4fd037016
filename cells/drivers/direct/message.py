"""Message: a payload for a neighbor, and the callback that reports its fate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cells import exceptions
from cells.drivers.direct.frames import MessageClass

#: Called once, with None when a manager of the neighbor has taken the message, else with the reason why it is given up;
#: ``may_arrive`` of the reason tells whether the neighbor may have taken it.  Must not block.
OnDone = Callable[["exceptions.CellsError | None"], object]


@dataclass(eq=False, kw_only=True)
class Message:
    """One message; an object is sent once."""

    message_class: MessageClass
    payload: bytes
    on_done: OnDone
    #: the only manager that may receive it; empty: any
    server: str = ""
    #: whether each manager of the neighbor receives a copy
    fanout: bool = False
    #: when its sender stops waiting, in seconds of the monotonic clock; None: it may wait without end
    deadline: float | None = None
    #: whether another manager of this cell has passed it to this one, which passes it no further
    is_passed: bool = False
    #: when the link has taken it, in seconds of the clock
    accepted_at: float = field(default=0.0, init=False)
    #: whether its outcome is reported or about to be
    is_done: bool = field(default=False, init=False)


#: Gets messages with their outcomes, in their order.
TakeOutcomes = Callable[[Sequence[tuple[Message, "exceptions.CellsError | None"]]], object]
#: Takes the name of a neighbor, a function for outcomes, and a message.  Returns False if no other manager of this
#: cell can send the message; then the function is not called.  Does not block; calls the function on another thread.
PassOn = Callable[[str, TakeOutcomes, Message], bool]


def copies(message: Message, servers: Sequence[str]) -> list[Message]:
    """Return a copy of a fan-out for each of ``servers``; the last outcome of a copy decides that of the fan-out.

    A manager that has stopped needs no copy, unless it was the last one.
    """
    outcomes: list[exceptions.CellsError | None] = []
    lock = threading.Lock()

    def done(error: exceptions.CellsError | None) -> None:
        with lock:
            outcomes.append(error)
            if len(outcomes) < len(servers):
                return
        failures = [outcome for outcome in outcomes if outcome is not None]
        problems = [failure for failure in failures if not isinstance(failure, exceptions.ManagerGone)]
        if not problems and len(failures) == len(outcomes):
            problems = failures
        message.on_done(problems[0] if problems else None)

    made = [
        Message(
            message_class=message.message_class,
            payload=message.payload,
            on_done=done,
            server=server,
            deadline=message.deadline,
            is_passed=message.is_passed,
        )
        for server in servers
    ]
    for one in made:
        one.accepted_at = message.accepted_at
    return made
