"""The application of a configuration: what is refused at the start, and who is let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from cells import conf as cells_conf
from cells import exceptions
from cells.api import deployment
from tests.cases import each

TOKEN = "t" * 20


def configuration(directory: Path, options: str, more: str = "", url: str = "zmq+tcp://127.0.0.1:1") -> Any:
    file = directory / "cells.conf"
    file.write_text(
        f"[DEFAULT]\ntransport_url = {url}\nhost = h\nstate_path = {directory}\n{more}\n"
        f"[oslo_messaging_zmq]\nipc_dir = {directory}\n[cells]\nname = api\n[cells_api]\n{options}\n"
    )
    return cells_conf.load([file])


@each("listen", ["0.0.0.0:8778", "[::]:8778", "192.0.2.1:8778", "8778"])
def test_noauth_is_for_loopback_addresses(tmp_path: Path, listen: str) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        deployment.build(configuration(tmp_path, f"auth = noauth\nlisten = {listen}"))


@each(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8778", 200),
        ("127.0.0.1", "localhost", 200),
        ("::1", "[::1]:8778", 200),
        ("192.0.2.1", "127.0.0.1", 403),
        ("", "localhost", 403),
        # A page of another host, whose name has been made to stand for this host.
        ("127.0.0.1", "evil.example:8778", 403),
    ],
)
def test_noauth_serves_this_host_alone(noauth: Client, address: str, host: str, status: int) -> None:
    response = noauth.get("/v1/cells?limit=x", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": address})
    assert response.status_code == (400 if status == 200 else status)


@pytest.fixture
def noauth(tmp_path: Path) -> Client:
    return Client(deployment.build(configuration(tmp_path, "auth = noauth")).application)


def test_tokens_are_the_default(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        deployment.build(configuration(tmp_path, ""))
    file = tmp_path / "api-tokens"
    file.write_text(f"boss admin {TOKEN}\n")
    file.chmod(0o600)
    client = Client(deployment.build(configuration(tmp_path, "")).application)
    assert client.get("/v1/cells?limit=x").status_code == 401
    assert client.get("/v1/cells?limit=x", headers={"X-Auth-Token": TOKEN}).status_code == 400


def test_the_policy_file_changes_the_rules(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"cells_api:cells:list": "!"\n')
    conf = configuration(tmp_path, "auth = noauth", f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml")
    client = Client(deployment.build(conf).application)
    local = {"REMOTE_ADDR": "127.0.0.1"}
    assert client.get("/v1/cells", environ_overrides=local).status_code == 403
    assert client.get("/v1/links?limit=x", environ_overrides=local).status_code == 400


@each("text", ["cells: [", '"cells_api:cells:list": "rule:none"\n'])
def test_a_wrong_policy_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    conf = configuration(tmp_path, "auth = noauth", f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml")
    with pytest.raises(exceptions.ConfigurationError):
        deployment.build(conf)


def test_keystone_identifies_clients(tmp_path: Path) -> None:
    more = "[keystone_authtoken]\nwww_authenticate_uri = http://127.0.0.1:1/\nauth_type = none"
    client = Client(deployment.build(configuration(tmp_path, "auth = keystone", more)).application)
    assert client.get("/v1/cells").status_code == 401
    spoofed = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "u"}
    assert client.get("/v1/cells", headers=spoofed).status_code == 401


def test_a_wrong_transport_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ConfigurationError):
        deployment.build(configuration(tmp_path, "auth = noauth", url="zmq+ipc://"))
