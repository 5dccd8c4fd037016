"""Answers: what the cells answer to one call of all of them, one at a time, as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import oslo_messaging

from cells.rpc.exceptions import Timeout
from cells.rpc.manager_client import ManagerClient
from cells.services.answers import RESULT, Answer

if TYPE_CHECKING:
    from typing_extensions import Self

#: The manager says who is missing; only if it does not, the client does.
GRACE_SECONDS = 1.0

#: Makes of what came the value, or the error as an object.
Read = Callable[[Answer], Any]


class Answers(Iterator[tuple[str, Any]]):
    """Yields ``(cell, value)``, or ``(cell, error)`` with an instance of Exception, in the order in which they come.

    It ends when all cells have answered, when ``need`` of them have given a value, or at
    the deadline; a cell that has not answered by then is yielded with a ``Timeout``.  After
    an earlier end ``missing`` names those that have not answered.  For one thread.
    """

    def __init__(  # noqa: PLR0913  # what was started, and how to go on
        self,
        manager: ManagerClient,
        ctxt: Mapping[str, Any],
        started: Mapping[str, Any],
        read: Read,
        *,
        deadline: float,
        need: int | None,
    ) -> None:
        """:param started: what ``multicall_start`` gave
        :param deadline: of the monotonic clock
        """
        self._manager = manager
        self._ctxt = ctxt
        self._arguments = {"multicall_id": started["id"]}
        self._server: str = started["server"]
        self._read = read
        self._deadline = deadline
        self._need = need
        self._came: deque[tuple[str, Answer]] = deque()
        #: whether the manager has nothing more to tell
        self._is_complete = not started["cells"]
        self._is_closed = False
        #: why the manager has no more answers
        self._loss = ""
        #: the cells that are asked
        self.cells: tuple[str, ...] = tuple(started["cells"])
        #: those of them that have not answered, in the order in which they were asked
        self.missing: list[str] = list(started["cells"])

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[str, Any]:
        while not self._is_closed and self._need != 0:
            if self._came:
                cell, answer = self._came.popleft()
                if cell in self.missing:
                    self.missing.remove(cell)
                    return cell, self._counted(self._read(answer))
            elif self._is_complete:
                break
            elif not self._fetch():
                return self._timed_out()
        self.close()
        raise StopIteration

    def _counted(self, value: Any) -> Any:
        if self._need is not None and not isinstance(value, Exception):
            self._need -= 1
        return value

    def _fetch(self) -> bool:
        """Wait for new answers; False if there will be none."""
        left_seconds = self._deadline + GRACE_SECONDS - time.monotonic()
        if left_seconds <= 0:
            return False
        try:
            answer = self._manager.ask(
                self._ctxt, "multicall_next", self._arguments, timeout_seconds=left_seconds, server=self._server
            )
        except oslo_messaging.MessagingException as error:
            self._loss = str(error)
            return False
        if RESULT not in answer:
            self._loss = "The manager of this cell has lost it: it was started again."
            return False
        self._came.extend((cell, value) for cell, value in answer[RESULT]["answers"])
        self._is_complete = answer[RESULT]["is_complete"]
        return True

    def _timed_out(self) -> tuple[str, Any]:
        """The next of the cells whose answers are lost."""
        cell = self.missing.pop(0)
        self._is_complete = not self.missing
        return cell, Timeout(f"The answer of cell {cell} did not come in time. {self._loss}".rstrip(), cell=cell)

    def close(self) -> None:
        """Take no more answers.  May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_complete:
            # If that gets lost the manager forgets it by itself, a minute after the deadline.
            self._manager.tell(self._ctxt, "multicall_stop", self._server, self._arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
