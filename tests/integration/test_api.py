"""The program cells-api beside a real manager, as a script without oslo.messaging uses it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess, program
from tools.polling import poll

TOKEN = "t" * 30


class Served:
    """A manager and its HTTP API."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        options = {"cells_api": {"listen": f"127.0.0.1:{port}", "tokens_file": directory / "tokens"}}
        self.manager = ManagerProcess(directory, "api", f"zmq+ipc://{directory}/ipc", options=options)
        (directory / "tokens").write_text(f"boss admin {TOKEN}\n")
        (directory / "tokens").chmod(0o600)
        self.manager.sync_database()
        self.manager.start().wait_ready()
        self.log = directory / "api.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program("cells-api"), "--config-file", str(self.manager.config_file)], stdout=log, stderr=log
            )
        poll(lambda: "is ready" in self.log.read_text(), "cells-api is ready", 60)

    def ask(self, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.manager.kill()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path, free_ports(1)[0])
    yield found
    found.stop()


def test_requests_over_http_and_a_manager_that_dies(served: Served) -> None:
    assert served.ask("/v1/cells") == (200, {"cells": [], "cells_links": []})
    status, answer = served.ask("/v1/call", {"cell": "api", "method": "ping"})
    assert (status, answer["call"]["value"]["cell"]) == (200, "api")
    assert served.ask("/v1/cells", token="wrong")[0] == 401
    served.manager.kill9()
    started_at = time.monotonic()
    assert served.ask("/v1/links")[0] == 503
    assert time.monotonic() - started_at < 2
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 0
