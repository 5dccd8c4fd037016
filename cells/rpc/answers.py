"""Answers: the iterator over the answers of many cells that a multicall returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import oslo_messaging

from cells.rpc.exceptions import Timeout
from cells.rpc.manager_client import ManagerClient
from cells.services.answer_batches import AnswerBatches
from cells.services.answers import RESULT, Answer

#: The manager reports the cells whose answers are late; the client does so only if the manager is silent.
GRACE_SECONDS = 0.4

#: Returns the value of an answer, or its error as an object.
Read = Callable[[Answer], Any]


class Answers(AnswerBatches[tuple[str, Any]]):
    """Yields ``(cell, value)``, or ``(cell, error)`` with an instance of Exception, in the order of arrival.

    It ends when all cells have answered, when ``need`` of them have returned a value, or at
    the deadline.  A cell without an answer at the deadline is yielded with a ``Timeout``.
    After an earlier end ``missing`` names the cells without an answer.  For one thread.
    """

    def __init__(  # noqa: PLR0913  # options by keyword
        self,
        manager: ManagerClient,
        ctxt: Mapping[str, Any],
        started: Mapping[str, Any],
        read: Read,
        *,
        deadline: float,
        need: int | None,
    ) -> None:
        """:param started: the result of ``multicall_start``
        :param deadline: by the monotonic clock
        """
        self._manager = manager
        self._ctxt = ctxt
        self._arguments = {"multicall_id": started["id"]}
        self._server: str = started["server"]
        self._read = read
        self._deadline = deadline
        self._need = need
        #: the called cells
        self.cells: tuple[str, ...] = tuple(started["cells"])
        #: the cells that have not answered, in the order of ``cells``
        self.missing: list[str] = list(started["cells"])
        super().__init__(self._next_batch, self._stop_manager, is_complete=not self.cells)

    def __next__(self) -> tuple[str, Any]:
        while self._need != 0:
            cell, answer = super().__next__()
            if cell in self.missing:
                self.missing.remove(cell)
                value = answer if isinstance(answer, Timeout) else self._read(answer)
                if self._need is not None and not isinstance(value, Exception):
                    self._need -= 1
                return cell, value
        self.close()
        raise StopIteration

    def _next_batch(self) -> tuple[list[tuple[str, Any]], bool]:
        left_seconds = self._deadline + GRACE_SECONDS - time.monotonic()
        if left_seconds <= 0:
            return self._timeouts("")
        try:
            answer = self._manager.ask(
                self._ctxt, "multicall_next", self._arguments, timeout_seconds=left_seconds, server=self._server
            )
        except oslo_messaging.MessagingException as error:
            return self._timeouts(str(error))
        if RESULT not in answer:
            return self._timeouts("The manager of this cell was restarted and has lost the answer.")
        # Lists: JSON has no tuples.
        return [(cell, value) for cell, value in answer[RESULT]["answers"]], answer[RESULT]["is_complete"]

    def _timeouts(self, reason: str) -> tuple[list[tuple[str, Any]], bool]:
        """Return an error for each missing cell, as the last batch."""

        def timeout(cell: str) -> Timeout:
            return Timeout(f"The answer of cell {cell} did not arrive in time. {reason}".rstrip(), cell=cell)

        return [(cell, timeout(cell)) for cell in self.missing], True

    def _stop_manager(self) -> None:
        # If this cast is lost, the manager discards the answers a minute after the deadline.
        self._manager.tell(self._ctxt, "multicall_stop", self._server, self._arguments)
