"""Names of queues with a queue manager: managers and commands that share a file have names of their own (case A5)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from cells import conf as cells_conf
from cells.transport import open_transport
from cells.transport.queue_names import name_command, name_manager

URL = "rabbit://nowhere/"
FILE = """
[DEFAULT]
host = {host}
state_path = {directory}
[oslo_messaging_rabbit]
use_queue_manager = true
hostname = {shared}
processname = shared
rabbit_transient_queues_ttl = 0
"""


@pytest.fixture
def unique() -> Iterator[str]:
    """Begin names with this: oslo.messaging keeps a file for each pair of names in the memory that this host shares."""
    found = f"test{secrets.token_hex(8)}"
    yield found
    for file in Path("/dev/shm").glob(f"{found}*"):
        file.unlink()


def configured(directory: Path, unique: str, host: str = "h1") -> cfg.ConfigOpts:
    file = directory / "cells.conf"
    file.write_text(FILE.format(host=f"{unique}-{host}", shared=f"{unique}-shared", directory=directory))
    return cells_conf.load([file])


def reply_queue(conf: cfg.ConfigOpts) -> str:
    transport = open_transport(conf, URL)
    name: str = transport._driver._get_reply_queue_name()
    transport.cleanup()
    return name


def test_managers_of_one_file_never_share_a_name_and_keep_theirs(tmp_path: Path, unique: str) -> None:
    def of(host: str, cell: str) -> str:
        conf = configured(tmp_path, unique, host)
        name_manager(conf, cell)
        return reply_queue(conf).rpartition(":")[0]

    first, other_host, other_cell = of("h1", "east"), of("h2", "east"), of("h1", "west")
    assert len({first, other_host, other_cell}) == 3
    assert of("h1", "east") == first
    assert "h1" in first
    assert reply_queue(configured(tmp_path, unique)).rpartition(":")[0] not in {first, other_host, other_cell}


def test_a_host_with_a_slash_makes_no_path(tmp_path: Path, unique: str) -> None:
    conf = configured(tmp_path, unique, "rack/1")
    name_manager(conf, "east")
    assert "rack_1" in reply_queue(conf)


def test_each_run_of_a_command_has_names_of_its_own_that_expire(tmp_path: Path, unique: str) -> None:
    names = set()
    for _ in range(2):
        conf = configured(tmp_path, unique)
        name_command(conf)
        names.add(reply_queue(conf))
    assert len(names) == 2
    assert not [name for name in names if "shared" in name]
    assert 0 < conf.oslo_messaging_rabbit.rabbit_transient_queues_ttl <= 300
