"""GroupCommit: threads that send at the same time share one publish.

A publish that is confirmed costs the same whether it carries one item or many.  A
thread that finds nobody sending sends its item at once, alone.  Threads that come
while it does wait, and the next publish has the items of all that wait.  So nobody
waits for company, and the more threads come the more they share.

There is no thread but those of the callers.  Who leads makes one publish, that with
its own item in it, and leaves the lead to who has waited longest.  This knows nothing
of what is sent, and how.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto


class NotTogether(Exception):
    """Raised by a publish of several items that has sent none of them, and never will: each goes alone."""


class OutcomeUnknown(Exception):
    """Raised where the thread that sent an item was interrupted, or does not come back: it may have been sent."""


class _State(Enum):
    NEW = auto()
    WAITS = auto()
    LEADS = auto()
    #: A publish that is under way has it.
    TAKEN = auto()
    DONE = auto()


class _Ticket:
    """A caller, its item, and what has become of it.  All but ``turned`` belongs to the lock."""

    def __init__(self) -> None:
        self.text = ""
        self.state = _State.NEW
        self.error: BaseException | None = None
        #: set when it leads, and when it is done
        self.turned = threading.Event()


class GroupCommit:
    """Thread-safe.  The items of one thread are sent in the order in which it brings them."""

    def __init__(
        self,
        publish: Callable[[Sequence[str]], object],
        *,
        max_items: int,
        max_characters: int,
        max_waiting: int,
        patience_seconds: float,
    ) -> None:
        """:param publish: sends two or more items; called by one of those who have brought them
        :param max_items: of one publish
        :param max_characters: of all items of one publish; what is larger by itself goes alone
        :param max_waiting: who finds so many waiting sends alone, beside them
        :param patience_seconds: who has waited so long for its turn sends alone, and takes the lead from who has it
        """
        self._publish = publish
        self._max_items = max_items
        self._max_characters = max_characters
        self._max_waiting = max_waiting
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._leader: _Ticket | None = None
        self._waiting: deque[_Ticket] = deque()
        self._had_company = False

    def commit(self, alone: Callable[[], object], pack: Callable[[], str]) -> None:
        """Send an item, and return when the publish that had it in it has.

        :param alone: sends the item by itself
        :param pack: gives what ``publish`` takes of it, if it does not go alone
        :raises OutcomeUnknown: nobody can tell whether it was sent
        :raises Exception: what ``alone``, ``pack`` or the publish has raised; of the latter, each has a copy
        """
        ticket = _Ticket()
        try:
            self._arrive(ticket, pack)
            if not self._is_sent_with_others(ticket):
                alone()
        finally:
            self._leave(ticket)

    def _arrive(self, ticket: _Ticket, pack: Callable[[], str]) -> None:
        """Have it lead, or wait for who does; neither if it shall go alone, beside the others."""
        with self._lock:
            if self._take_lead(ticket) and not self._had_company:
                return
        ticket.text = pack()
        if ticket.state is _State.LEADS:
            self._give_way()
            return
        with self._lock:
            if self._take_lead(ticket):
                return
            if len(self._waiting) < self._max_waiting and len(ticket.text) <= self._max_characters:
                ticket.state = _State.WAITS
                self._waiting.append(ticket)

    def _take_lead(self, ticket: _Ticket) -> bool:
        if self._leader is not None:
            return False
        self._leader = ticket
        ticket.state = _State.LEADS
        return True

    def _give_way(self) -> None:
        """Have the threads that the last publish has woken bring their next items before this one is made.

        Else one of them would go alone each time, with all others behind it.  Nothing is waited for.
        """
        before = -1
        while len(self._waiting) > before:
            before = len(self._waiting)
            time.sleep(0)

    def _is_sent_with_others(self, ticket: _Ticket) -> bool:
        """Whether a publish has had it in it; else it has to be sent alone, now."""
        if ticket.state is _State.WAITS and not ticket.turned.wait(self._patience_seconds):
            self._lose_patience(ticket)
        if ticket.state is _State.NEW:
            return False
        if ticket.state is _State.LEADS:
            return self._lead(ticket)
        if not ticket.turned.wait(self._patience_seconds):
            raise OutcomeUnknown(f"Who sends it has not come back after {self._patience_seconds:g} seconds.")
        if isinstance(ticket.error, NotTogether):
            return False
        if ticket.error is not None:
            raise _told(ticket.error) from ticket.error
        return True

    def _lose_patience(self, ticket: _Ticket) -> None:
        """Send alone what is still waiting; if who leads is stuck, or is no more, the others need not wait for it."""
        with self._lock:
            if ticket.state is _State.WAITS:
                self._waiting.remove(ticket)
                ticket.state = _State.NEW
                self._pass_lead()

    def _lead(self, ticket: _Ticket) -> bool:
        """Make the publish of all that wait, if any do; whether its own item has been sent."""
        others: list[_Ticket] = []
        error: BaseException | None = None
        try:
            self._take(others, len(ticket.text))
            self._had_company = bool(others)
            if others:
                self._publish([ticket.text, *(other.text for other in others)])
        except NotTogether as raised:
            error = raised
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._finish(others, error)
        return bool(others) and error is None

    def _take(self, others: list[_Ticket], characters: int) -> None:
        """Move to ``others`` who waits, in their order, as many as there is room for beside so many characters."""
        if not characters:
            return  # who came first has not packed its item: it goes alone
        with self._lock:
            while self._waiting and len(others) + 1 < self._max_items:
                characters += len(self._waiting[0].text)
                if characters > self._max_characters:
                    return
                other = self._waiting.popleft()
                others.append(other)
                other.state = _State.TAKEN

    def _finish(self, others: Sequence[_Ticket], error: BaseException | None) -> None:
        with self._lock:
            for other in others:
                other.state = _State.DONE
                other.error = error
        for other in others:
            other.turned.set()

    def _leave(self, ticket: _Ticket) -> None:
        """Nothing is to be done for it any more, however that came; if it leads, who has waited longest does now."""
        with self._lock:
            if ticket.state is _State.WAITS:
                self._waiting.remove(ticket)
            if self._leader is ticket:
                self._pass_lead()

    def _pass_lead(self) -> None:
        self._leader = self._waiting.popleft() if self._waiting else None
        if self._leader is not None:
            self._leader.state = _State.LEADS
            self._leader.turned.set()


def _told(error: BaseException) -> Exception:
    """What another thread than that which has got ``error`` raises for it: an instance of its own."""
    if not isinstance(error, Exception):
        return OutcomeUnknown(f"The thread that sent it was interrupted by {type(error).__name__}.")
    # Its constructor may take other arguments than those that it was left with.
    told = type(error).__new__(type(error), *error.args)
    told.args = error.args
    vars(told).update(vars(error))
    return told
