"""Script: service of one cell that calls, casts and broadcasts continuously, in a separate process.

It runs in the environments of both releases: the services of a cell are upgraded
before or after the manager.  So it imports only modules of both releases.  Lines on
its standard input make it ``pause`` (it prints ``paused`` when no operation is in flight
any more) and ``resume``; when the input ends, it finishes its operations and exits.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

from cells import conf as cells_conf  # noqa: E402  # oslo.messaging would select the other back end
from cells.context import get_admin_context  # noqa: E402
from cells.rpcapi import CellsAPI  # noqa: E402

try:
    from cells.transport.opening import open_transport
except ImportError:  # the place of the older release
    from cells.drivers.transport import open_transport

#: Longer than the restart of a manager.
TIMEOUT_SECONDS = 30.0
#: Pause between two operations of a thread, which leaves a small machine time to restart managers.
PAUSE_SECONDS = 0.2
#: Threads that take turns do not need a connection each.
ONE_CONNECTION = "rpc_conn_pool_size=1&conn_pool_min_size=1"
KINDS = ("call", "cast", "broadcast")


class Load:
    """Operations of one service, each with a unique number.

    :param plan: name, config_file, url (of the transport), results_file, targets (names or full
        paths), direction, and answering (the names of the cells that answer a broadcast)
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        conf = cells_conf.load([plan["config_file"]])
        self._transport = open_transport(conf, f"{plan['url']}?{ONE_CONNECTION}", ["cells.exceptions"])
        self._api = CellsAPI(self._transport, version_cap=conf.upgrade_levels.cells, timeout=TIMEOUT_SECONDS)
        self._results = Path(plan["results_file"]).open("a", buffering=1)  # noqa: SIM115  # closed in run()
        self._changed = threading.Condition()
        self._is_paused = self._is_stopping = False
        self._under_way = 0

    def run(self) -> None:
        """Run until the end of standard input."""
        threads = [threading.Thread(target=self._repeat, args=[kind]) for kind in KINDS]
        for thread in threads:
            thread.start()
        for line in sys.stdin:
            with self._changed:
                self._is_paused = line.strip() == "pause"
                self._changed.notify_all()
                if self._is_paused:
                    self._changed.wait_for(lambda: not self._under_way)
                    sys.stdout.write("paused\n")
                    sys.stdout.flush()
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for thread in threads:
            thread.join()
        self._transport.cleanup()
        self._results.close()

    def _repeat(self, kind: str) -> None:
        work: Callable[[str, str], None] = getattr(self, f"_{kind}")
        targets = itertools.cycle(self._plan["targets"])
        for count in itertools.count():
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, PAUSE_SECONDS)
                self._changed.wait_for(lambda: self._is_stopping or not self._is_paused)
                if self._is_stopping:
                    return
                self._under_way += 1
            number, target = f"{self._plan['name']}/{kind}/{count}", next(targets)
            error, began_at = None, time.time()
            try:
                work(number, target)
            except Exception as failure:  # any error is a failure of the test
                error = f"{type(failure).__name__}: {failure}"
            cells = self._plan["answering"] if kind == "broadcast" else [target.rpartition("!")[2]]
            result = {"number": number, "kind": kind, "cells": cells, "error": error, "began_at": began_at}
            with self._changed:
                self._results.write(json.dumps(result) + "\n")
                self._under_way -= 1
                self._changed.notify_all()

    def _call(self, number: str, target: str) -> None:
        value = self._api.call(get_admin_context(), target, "record", {"number": number})
        _expect(value, {"number": number, "cell": target.rpartition("!")[2]})

    def _cast(self, number: str, target: str) -> None:
        self._api.cast(get_admin_context(), target, "record", {"number": number})

    def _broadcast(self, number: str, _target: str) -> None:
        direction = self._plan["direction"]
        answers = self._api.broadcast_call(get_admin_context(), "record", {"number": number}, direction=direction)
        errors = [f"{answer.cell}: {answer.error}" for answer in answers if answer.error is not None]
        _expect(errors, [])
        _expect(sorted(answer.value["cell"] for answer in answers), sorted(self._plan["answering"]))
        _expect({answer.value["number"] for answer in answers}, {number})


def _expect(answered: object, expected: object) -> None:
    if answered != expected:
        raise ValueError(f"{expected!r} was expected, and {answered!r} came.")


if __name__ == "__main__":
    Load(json.loads(sys.argv[1])).run()
