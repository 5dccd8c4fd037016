"""The commands for RabbitMQ, with a shell script as rabbitmqctl."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cells import exceptions
from cells.sandbox import virtual_hosts
from tools.polling import poll


@pytest.fixture
def rabbitmqctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that writes its arguments to the file ``asked`` and its input to ``read``."""
    program = tmp_path / "rabbitmqctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/read\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(virtual_hosts.os, "geteuid", lambda: 0)
    return program


def test_virtual_hosts_are_created_with_all_rights(rabbitmqctl: Path) -> None:
    virtual_hosts.create(["one", "two"], "alice")
    assert (rabbitmqctl.parent / "asked").read_text() == "-q import_definitions\n"
    read = json.loads((rabbitmqctl.parent / "read").read_text())
    assert read["vhosts"] == [{"name": "one"}, {"name": "two"}]
    assert {right["vhost"]: right["user"] for right in read["permissions"]} == {"one": "alice", "two": "alice"}


def test_virtual_hosts_are_deleted_by_one_command(rabbitmqctl: Path) -> None:
    virtual_hosts.delete(["a"])
    assert "<<97>>" in (rabbitmqctl.parent / "asked").read_text()
    (rabbitmqctl.parent / "asked").unlink()
    virtual_hosts.delete([])
    assert not (rabbitmqctl.parent / "asked").exists()


def test_error_of_rabbitmqctl_is_reported(rabbitmqctl: Path) -> None:
    rabbitmqctl.write_text("#!/bin/sh\necho 'Only root may do so' >&2\necho more >&2\nexit 77\n")
    with pytest.raises(exceptions.SandboxError) as caught:
        virtual_hosts.create(["one"], "guest")
    assert "Only root may do so" in caught.value.message
    assert "as root" in caught.value.message


def test_a_timeout_ends_the_processes_of_rabbitmqctl(rabbitmqctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is a script; its child would create the virtual hosts after the caller has deleted them."""
    pipe = rabbitmqctl.parent / "pipe"
    os.mkfifo(pipe)
    child = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    rabbitmqctl.write_text(f"#!/bin/sh\nexec 3> {pipe}\necho begun >&3\nsleep 600\nexit 0\n")
    monkeypatch.setattr(virtual_hosts, "COMMAND_TIMEOUT_SECONDS", 0.3)
    try:
        with pytest.raises(exceptions.SandboxError, match="timeout"):
            virtual_hosts.create(["one"], "guest")
        poll(lambda: is_closed(child), "no process has the pipe open")
    finally:
        os.close(child)


def is_closed(pipe: int) -> bool:
    """Return whether no process can write to this pipe any more."""
    try:
        return not os.read(pipe, 100)
    except BlockingIOError:
        return False


def test_missing_rabbitmqctl_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_hosts.shutil, "which", lambda name, path=None: None)
    with pytest.raises(exceptions.SandboxError, match="rabbitmqctl"):
        virtual_hosts.delete(["one"])


def test_unreachable_broker_is_named_without_its_password() -> None:
    with pytest.raises(exceptions.SandboxError) as caught:
        virtual_hosts.check_reachable("rabbit://u:s3kr3t@127.0.0.1:1,u:s3kr3t@[::1]:1/")
    assert "127.0.0.1:1: " in caught.value.message
    assert "[::1]:1: " in caught.value.message
    assert "s3kr3t" not in caught.value.message


def test_user_name_of_the_login() -> None:
    assert virtual_hosts.user("rabbit://u%40x:p@h/") == "u@x"
    assert virtual_hosts.user("rabbit://h/") == "guest"
