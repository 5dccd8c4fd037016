"""Checks of the links that casts take: a cast fails while the manager of the cell knows that a link is down.

A cast gets no answer, so the client asks the manager beforehand, with ``links_down`` of version 1.3 of its API: once
every two seconds for each target, and for each cast to a target whose link was down.  Casts in between, and casts to a
manager that does not answer or is of an older release, are sent unchecked; those that the manager cannot pass on are
counted there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import oslo_messaging

from cells import exceptions
from cells.rpcapi.casts import is_refusal

LOG = logging.getLogger(__name__)

#: The version of the manager's API that has ``links_down``.
VERSION = "1.3"
#: An answer without a link that is down counts for so long.
KNOWN_SECONDS = 2.0
#: Timeout of a check: a cast waits no longer for a manager that does not answer.
ANSWER_SECONDS = 1.0
#: A refusal, or a missing answer, disables checks for so long.
UNCHECKED_SECONDS = 60.0
MAX_TARGETS = 1000

#: Asks the manager within so many seconds; returns the neighbors whose links are down.
Ask = Callable[[float], list[str]]


@dataclass(eq=False, repr=False)
class WayChecks:
    """The checks of one client.  Thread-safe."""

    is_enabled: bool
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    #: target -> until when it needs no check, in the order of their last checks
    _known_until: OrderedDict[str, float] = field(default_factory=OrderedDict, init=False)
    _unchecked_until: float = field(default=0.0, init=False)

    def links_down(self, target: str, ask: Ask) -> list[str]:
        """Return the neighbors whose links to ``target`` are down, as far as the manager knows.

        :param target: the cell or the direction of a cast
        :raises cells.exceptions.RoutingError: the manager knows no way
        """
        if not self._is_due(target):
            return []
        try:
            down = ask(ANSWER_SECONDS)
        except exceptions.ManagerTimeout:
            self._disable("does not answer")
            return []
        except oslo_messaging.MessageDeliveryFailure:
            # The cast itself waits longer for the broker of this cell, and its error has the reason.
            self._forget(target)
            return []
        except Exception as error:
            if not is_refusal(error):
                self._forget(target)
                raise
            self._disable("is of a release without checks")
            return []
        if down:
            self._forget(target)
        return down

    def _is_due(self, target: str) -> bool:
        now = self.clock()
        if not self.is_enabled or now < self._unchecked_until:
            return False
        with self._lock:
            if now < self._known_until.get(target, now):
                return False
            # Casts of other threads need not wait for the check of this one.
            self._known_until[target] = now + KNOWN_SECONDS
            self._known_until.move_to_end(target)
            if len(self._known_until) > MAX_TARGETS:
                self._known_until.popitem(last=False)
            return True

    def _forget(self, target: str) -> None:
        """Have the next cast to ``target`` checked again."""
        with self._lock:
            self._known_until.pop(target, None)

    def _disable(self, why: str) -> None:
        LOG.info("A manager of this cell %s: casts are sent unchecked for %d seconds.", why, UNCHECKED_SECONDS)
        self._unchecked_until = self.clock() + UNCHECKED_SECONDS
