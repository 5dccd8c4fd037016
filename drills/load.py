"""Script: the client of one cell, which sends messages at a constant mean rate until its standard input ends.

``python -m drills.load PLAN`` takes a JSON object: config_file, cell, results_file, rates and
seed.  It writes a line for each message when it begins and when it ends.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import oslo_messaging

import cells.rpc
from cells import conf as cells_conf
from cells.context import get_admin_context
from cells.rpcapi import CellsAPI
from cells.transport import open_transport
from drills.kinds import SOURCES, TIMEOUT_SECONDS
from drills.operation import Answer, Failure, Operation, Outcome
from drills.service import TOPIC

#: More than the messages that can wait for their timeout at a time.
THREADS = 300
#: A message without an outcome after this time will never have one.
LAST_OUTCOME_SECONDS = 30.0


class Client:
    """All kinds of messages from one cell; each method sends one message."""

    def __init__(self, transport: Any, cell: str) -> None:
        self._source = SOURCES[cell]
        self._context = get_admin_context()
        self._api = CellsAPI(transport, timeout=TIMEOUT_SECONDS)
        target = oslo_messaging.Target(topic=TOPIC, version="1.0")
        client = cells.rpc.get_rpc_client(transport, target, timeout=TIMEOUT_SECONDS)
        self._service = client.prepare(cell=self._source.target)

    def rcall(self, number: str) -> Any:
        return self._service.call({}, "drill", number=number)

    def ecall(self, number: str) -> Any:
        return self._api.call(self._context, self._source.target, "drill", {"number": number})

    def rcast(self, number: str) -> None:
        self._service.cast({}, "drill", number=number)

    def ecast(self, number: str) -> None:
        self._api.cast(self._context, self._source.target, "drill", {"number": number})

    def bcall(self, number: str) -> tuple[Answer, ...]:
        answers = self._api.broadcast_call(
            self._context, "drill", {"number": number}, direction=self._source.direction, timeout=TIMEOUT_SECONDS
        )
        return tuple(
            Answer(answer.cell.rpartition("!")[2], None if answer.error is None else Failure.of(answer.error))
            for answer in answers
        )

    def bcast(self, number: str) -> None:
        self._api.broadcast_cast(self._context, "drill", {"number": number}, direction=self._source.direction)


class Load:
    """Sends messages, each in a thread, and writes them down."""

    def __init__(self, client: Client, plan: Mapping[str, Any]) -> None:
        self._client = client
        self._cell: str = plan["cell"]
        self._rates: Mapping[str, float] = plan["rates"]
        self._seed: int = plan["seed"]
        self._random = random.Random(f"{self._seed} {self._cell}")
        self._file = Path(plan["results_file"]).open("a")  # noqa: SIM115  # closed by the end of the process
        self._lock = threading.Lock()
        self._is_ending = threading.Event()

    def end(self) -> None:
        """Begin no more messages."""
        self._is_ending.set()

    def run(self) -> None:
        """Send until :meth:`end`, and wait for the outcomes."""
        pool = ThreadPoolExecutor(THREADS)
        now = time.monotonic()
        due = [(now + self._pause(kind), kind, 0) for kind in self._rates]
        heapq.heapify(due)
        while not self._is_ending.wait(max(0.0, due[0][0] - time.monotonic())):
            at, kind, count = heapq.heappop(due)
            number = f"{self._cell}-{self._seed}-{kind}-{count}"
            pool.submit(self._operate, Operation(number, kind, self._cell, time.monotonic()))
            heapq.heappush(due, (at + self._pause(kind), kind, count + 1))
        threading.Timer(LAST_OUTCOME_SECONDS, self._exit).start()
        pool.shutdown()
        self._exit()

    def _pause(self, kind: str) -> float:
        """Return the time between two messages; it varies, so that faults meet every phase of a message."""
        return self._random.uniform(0.5, 1.5) / self._rates[kind]

    def _operate(self, operation: Operation) -> None:
        send: Callable[[str], Any] = getattr(self._client, operation.kind)
        self._write(operation)
        try:
            value = send(operation.number)
        except Exception as error:  # every error is a result
            outcome = Outcome(time.monotonic(), failure=Failure.of(error))
        else:
            if operation.kind == "bcall":
                outcome = Outcome(time.monotonic(), answers=value)
            else:
                outcome = Outcome(time.monotonic(), value)
        self._write(dataclasses.replace(operation, outcomes=(outcome,)))

    def _write(self, operation: Operation) -> None:
        line = json.dumps(operation.line()) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def _exit(self) -> None:
        """End the process, also if threads still wait."""
        with self._lock:
            self._file.flush()
            # Not sys.exit, which would join the threads.
            os._exit(0)


def main() -> None:
    """Send until the end of standard input."""
    plan = json.loads(sys.argv[1])
    transport = open_transport(cells_conf.load([plan["config_file"]]), None, ["cells.exceptions"])
    load = Load(Client(transport, plan["cell"]), plan)

    def end() -> None:
        sys.stdin.read()
        load.end()

    threading.Thread(target=end, daemon=True).start()
    print("ready", flush=True)
    load.run()


if __name__ == "__main__":
    main()
