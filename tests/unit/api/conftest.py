"""An application whose manager is a table of answers, and a client that sends it requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from cells import conf as cells_conf
from cells.api.application import Application
from cells.api.authentication import StaticTokens
from cells.api.examiner import Examine, Examiner
from cells.api.manager_client import Connection, ManagerClient
from cells.api.policies import Policy
from cells.api.tokens import Token, digest_of
from cells.rpcapi import CellAnswer

READER, ADMIN = "r" * 20, "a" * 20
MAX_BODY_BYTES = 4096
NORTH_URL = "rabbit://ada:***@broker.north:5671/v"


class Manager:
    """Stands for CellsAPI: each method returns the value of its name in ``answers``, or raises it."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = {"status": {"name": "api", "path": "api"}, **answers}
        self.requests: list[tuple[str, Any, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(ctxt: Any, *arguments: Any, **options: Any) -> Any:
            self.requests.append((name, ctxt, arguments, options))
            found = self.answers[name]
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    def last(self, name: str) -> tuple[str, Any, tuple[Any, ...], dict[str, Any]]:
        return next(request for request in reversed(self.requests) if request[0] == name)


LINK = {
    "neighbor": "east",
    "is_parent": False,
    "state": "up",
    "announced": "1.4",
    "spoken": "1.1",
    "global_cap": "auto",
    "neighbor_cap": "1.1",
    "can_be_raised": True,
    "reason": "the cap of neighbor east",
}


def row(name: str, *, is_parent: bool | None = False, url: str = "rabbit://u:***@host:5672/v") -> dict[str, Any]:
    """Return a neighbor as the manager reports it."""
    return {"name": name, "cell": "api", "is_parent": is_parent, "transport_url": url, "state": "up", "problem": None}


def configuration(directory: Path) -> Any:
    """Return the configuration of a cell without a broker."""
    from oslo_policy import opts

    file = directory / "cells.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {directory}\n[cells]\nname = api\n")
    loaded = cells_conf.load([file])
    opts.set_defaults(loaded)
    return loaded


@pytest.fixture
def conf(tmp_path: Path) -> Any:
    return configuration(tmp_path)


def working_manager() -> Manager:
    """Return a manager that answers everything."""
    neighbors = [row("top", is_parent=True), row("west"), row("east"), row("stranger", is_parent=None)]
    resources = {"east": {"capabilities": {"os": ["linux"]}, "capacities": {"ram_free": {"total_mb": 3}}}}
    registered = {"name": "north", "is_parent": True, "driver": "rpc"}
    return Manager(
        {
            "neighbors": neighbors,
            "resources": resources,
            "capabilities": {"os": ["linux"]},
            "capacities": {"ram_free": {"total_mb": 5}},
            "topology": {"name": "api", "path": "api", "state": "up", "is_self": True, "children": []},
            "trace": {"events": [{"cell": "api", "event": "sent", "at": 1.0}], "error": None},
            "broadcast_call": [CellAnswer("api", {"reads": "1.4", "links": [LINK]})],
            "broadcast_cast": None,
            "call": {"cell": "east", "path": "api!east", "host": "h", "version": "1.5"},
            "create_neighbor": {**registered, "transport_url": NORTH_URL},
            "update_neighbor": {**registered, "transport_url": NORTH_URL},
            "delete_neighbor": None,
        }
    )


@pytest.fixture
def manager() -> Manager:
    return working_manager()


@pytest.fixture
def client(conf: Any, manager: Manager) -> Client:
    return Client(make_application(conf, manager))


def connection_to(manager: Any) -> Connection:
    return Connection(manager, lambda: manager.requests.append(("close", None, (), {})))


REPORT = {
    "verdict": "well",
    "status": 0,
    "cell": "api",
    "time": "2026-01-02T03:04:05+00:00",
    "seconds": 0.1,
    "checks": [],
    "findings": [],
}


def make_application(
    conf: Any, manager: Any, examine: Examine = lambda *_: REPORT, max_body_bytes: int = MAX_BODY_BYTES
) -> Application:
    tokens = [Token("grafana", "reader", digest_of(READER)), Token("boss", "admin", digest_of(ADMIN))]
    return Application(
        ManagerClient(lambda: connection_to(manager), "api"),
        Examiner(examine),
        StaticTokens(tokens),
        Policy(conf),
        max_body_bytes,
    )


def get(client: Client, path: str, token: str = READER, **options: Any) -> Any:
    return client.get(path, headers={"X-Auth-Token": token, **options.pop("headers", {})}, **options)


def post(client: Client, path: str, body: Any, token: str = ADMIN, **options: Any) -> Any:
    return client.post(path, json=body, headers={"X-Auth-Token": token}, **options)
