"""GroupCommit: threads that send at the same time share one publish.

A publish that is confirmed costs the same whether it carries one item or many.  A
thread that finds nobody sending, or only a few, sends its item at once, alone.  Threads
that come while others do wait, and the next publish has the items of all that wait.  So
nobody waits for company, and the more threads come the more they share.

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
    #: to be sent alone
    ALONE = auto()
    WAITS = auto()
    LEADS = auto()
    #: A publish that is under way has it.
    TAKEN = auto()
    DONE = auto()


class _Ticket:
    """A caller, its item, and what has become of it.  All but ``turned`` belongs to the lock."""

    def __init__(self) -> None:
        self.text = ""
        self.state = _State.ALONE
        self.error: BaseException | None = None
        #: in which it counts as one that sends
        self.era: int | None = None
        #: set when it leads, and when it is done
        self.turned = threading.Event()


class GroupCommit:
    """Thread-safe.  The items of one thread are sent in the order in which it brings them."""

    def __init__(  # noqa: PLR0913  # limits by keyword
        self,
        publish: Callable[[Sequence[str]], object],
        *,
        fewest: int,
        max_items: int,
        max_characters: int,
        max_waiting: int,
        patience_seconds: float,
    ) -> None:
        """:param publish: sends two or more items; called by one of those who have brought them
        :param fewest: as long as fewer threads than that come at the same time, each goes alone
        :param max_items: of one publish
        :param max_characters: of all items of one publish; what is larger by itself goes alone
        :param max_waiting: who finds so many waiting sends alone, beside them
        :param patience_seconds: who has waited so long for its turn sends alone, and waits no more for who sends now
        """
        self._publish = publish
        self._fewest = fewest
        self._max_items = max_items
        self._max_characters = max_characters
        self._max_waiting = max_waiting
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._leader: _Ticket | None = None
        self._waiting: deque[_Ticket] = deque()
        #: how many send now, alone or for others
        self._senders = 0
        #: whether those who came last were enough to go together
        self._had_company = False
        #: A new one begins when somebody has lost patience: who has sent since before counts no more.
        self._era = 0

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
        """Have it go alone, lead, or wait for those who send."""
        with self._lock:
            if not self._had_company and self._senders < self._fewest - 1:
                self._count(ticket)
                return
            self._lead_if_nobody_sends(ticket)
        ticket.text = pack()
        if ticket.state is _State.LEADS:
            self._give_way()
            return
        with self._lock:
            if self._lead_if_nobody_sends(ticket):
                return
            if len(self._waiting) < self._max_waiting and len(ticket.text) <= self._max_characters:
                ticket.state = _State.WAITS
                self._waiting.append(ticket)

    def _count(self, ticket: _Ticket) -> None:
        ticket.era = self._era
        self._senders += 1

    def _lead_if_nobody_sends(self, ticket: _Ticket) -> bool:
        if self._senders:
            return False
        self._make_leader(ticket)
        return True

    def _make_leader(self, ticket: _Ticket) -> None:
        self._count(ticket)
        self._leader = ticket
        ticket.state = _State.LEADS

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
        if ticket.state is _State.ALONE:
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
        """Have what still waits go alone; if who sends is stuck, or is no more, the others need not wait for it."""
        with self._lock:
            if ticket.state is _State.WAITS:
                self._waiting.remove(ticket)
                ticket.state = _State.ALONE
                self._era += 1
                self._senders = 0
                self._leader = None
                self._promote()

    def _lead(self, ticket: _Ticket) -> bool:
        """Make the publish of all that wait, if any do; whether its own item has been sent."""
        others: list[_Ticket] = []
        error: BaseException | None = None
        try:
            self._take(others, len(ticket.text))
            self._had_company = len(others) + 1 >= self._fewest
            if not self._had_company:
                raise NotTogether  # noqa: TRY301  # they are told as if the publish had said so
            self._publish([ticket.text, *(other.text for other in others)])
        except NotTogether as raised:
            error = raised
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._finish(others, error)
        return error is None

    def _take(self, others: list[_Ticket], characters: int) -> None:
        """Move to ``others`` who waits, in their order, as many as there is room for beside so many characters."""
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
        """Nothing is to be done for it any more, however that came; who has waited longest may lead now."""
        with self._lock:
            if ticket.state is _State.WAITS:
                self._waiting.remove(ticket)
            if ticket.era == self._era:
                self._senders -= 1
                if self._leader is ticket:
                    self._leader = None
                self._promote()

    def _promote(self) -> None:
        if self._waiting and self._leader is None:
            ticket = self._waiting.popleft()
            self._make_leader(ticket)
            ticket.turned.set()


def _told(error: BaseException) -> Exception:
    """What another thread than that which has got ``error`` raises for it: an instance of its own."""
    if not isinstance(error, Exception):
        return OutcomeUnknown(f"The thread that sent it was interrupted by {type(error).__name__}.")
    # Its constructor may take other arguments than those that it was left with.
    told = type(error).__new__(type(error), *error.args)
    told.args = error.args
    vars(told).update(vars(error))
    return told
