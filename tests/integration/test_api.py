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

from tests.integration.rabbitmq import VirtualHostPool
from tools.free_ports import free_ports
from tools.manager_process import ManagerProcess, program
from tools.polling import poll

TOKEN = "t" * 30


class Served:
    """A manager and its HTTP API."""

    def __init__(self, directory: Path, port: int, transport_url: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        options = {"cells_api": {"listen": f"127.0.0.1:{port}", "tokens_file": directory / "tokens"}}
        self.manager = ManagerProcess(directory, "api", transport_url, options=options)
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

    def ask(self, path: str, body: Any = None, token: str = TOKEN, method: str | None = None) -> tuple[int, Any]:
        headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.manager.kill()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path, free_ports(1)[0], f"zmq+ipc://{tmp_path}/ipc")
    yield found
    found.stop()


@pytest.fixture
def on_rabbitmq(tmp_path: Path, rabbitmq: VirtualHostPool) -> Iterator[Served]:
    found = Served(tmp_path, free_ports(1)[0], rabbitmq.take())
    yield found
    found.stop()


def test_requests_over_http_and_a_manager_that_dies(served: Served) -> None:
    assert served.ask("/v1/cells") == (200, {"cells": [], "cells_links": []})
    status, answer = served.ask("/v1/call", {"cell": "api", "method": "ping"})
    assert (status, answer["call"]["value"]["cell"]) == (200, "api")
    assert served.ask("/v1/cells", token="wrong")[0] == 401
    status, answer = served.ask("/v1/call", {"cell": "x" * 10_000_000})
    assert (status, answer["error"]["code"]) == (413, 413)
    served.manager.kill9()
    started_at = time.monotonic()
    assert served.ask("/v1/links")[0] == 503
    assert time.monotonic() - started_at < 2
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 0


@pytest.mark.rabbitmq
def test_neighbors_are_changed_over_rabbitmq(on_rabbitmq: Served, rabbitmq: VirtualHostPool) -> None:
    served, password = on_rabbitmq, "pass-word-of-east"
    assert served.ask("/v1/ping?cell=api")[1]["ping"]["path"] == "api"
    cell = {"name": "east", "rpc_host": "127.0.0.1", "username": "cells", "password": password}
    assert served.ask("/v1/cells", {"cell": cell})[0] == 200
    whole = {"name": "west", "type": "parent", "transport_url": rabbitmq.take()}
    assert served.ask("/v1/cells", {"cell": whole})[0] == 200
    assert [found["name"] for found in served.ask("/v1/cells")[1]["cells"]] == ["east", "west"]
    changed = served.ask("/v1/cells/east", {"cell": {"rpc_port": 5673}}, method="PUT")
    assert (changed[0], changed[1]["cell"]["rpc_port"]) == (200, 5673)
    shown = served.manager.succeed("neighbor", "show", "east", "--show-secrets").stdout
    assert f"cells:{password}@127.0.0.1:5673" in shown
    assert served.ask("/v1/cells/east", method="DELETE") == (204, None)
    assert [found["name"] for found in served.ask("/v1/cells")[1]["cells"]] == ["west"]
    # The broker of west accepts a login, and no manager of west consumes there.
    status, answer = served.ask("/v1/doctor?timeout=2")
    assert (status, answer["doctor"]["cell"]) == (200, "west!api")
    assert {check["name"] for check in answer["doctor"]["checks"]}
    served.manager.kill9()
    started_at = time.monotonic()
    assert served.ask("/v1/cells/west", method="DELETE")[0] == 503
    assert time.monotonic() - started_at < 5
    # The doctor needs no manager: its absence is a finding.
    assert served.ask("/v1/doctor?timeout=2")[1]["doctor"]["verdict"] == "broken"
    assert password not in served.log.read_text() + served.manager.log()
