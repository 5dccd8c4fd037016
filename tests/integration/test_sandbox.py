"""``cells sandbox`` as an operator uses it: real managers, without servers and with RabbitMQ."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cells import exceptions
from cells.sandbox import processes, virtual_hosts
from cells.transport import reserved_port
from tests.integration import rabbitmq as rabbitmq_server
from tests.integration.rabbitmq import VirtualHostPool
from tests.integration.service_process import INVENTORY, ServiceProcess, guide_output, run_example
from tools.manager_process import Finished, program
from tools.polling import poll

ROOT = Path(__file__).parents[2]
TREE = "api(east(az1),west)"
PATHS = ["api", "api!east", "api!east!az1", "api!west"]


class Commands:
    """Command ``cells`` with a sandbox in a separate directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [program("cells"), *words],
            env={**os.environ, "CELLS_SANDBOX": str(self.directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> Finished:
        process = self.begin(*words)
        stdout, stderr = process.communicate(timeout=150)
        return Finished(process.returncode, stdout, stderr)

    def succeed(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def status(self) -> dict[str, dict[str, Any]]:
        """Return the rows of ``cells sandbox status``, by cell."""
        return {row["cell"]: row for row in self("sandbox", "status", "-f", "json").json()}


@pytest.fixture
def short_path() -> Iterator[Path]:
    # Not pytest's directory, because the paths of sockets must be short.
    path = Path(tempfile.mkdtemp(prefix="cells-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def cells(short_path: Path) -> Iterator[Commands]:
    commands = Commands(short_path / "sandbox")
    try:
        yield commands
    finally:
        commands("sandbox", "down")


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    return False


def ping(cells: Commands, source: str, target: str) -> Any:
    return json.loads(cells.succeed("--sandbox", source, "call", target, "ping", "-f", "json"))["path"]


def test_the_life_of_a_sandbox_without_a_broker(cells: Commands) -> None:
    output = cells.succeed("sandbox", "up", "--tree", TREE)
    assert "└── az1" in output
    assert "cells --sandbox api ping az1" in output
    rows = cells.status()
    assert [row["path"] for row in rows.values()] == PATHS
    assert {row["state"] for row in rows.values()} == {"running"}
    assert ping(cells, "api", "az1") == "api!east!az1"
    assert ping(cells, "az1", "api!west") == "api!west"

    check_guide_to_services(cells)

    # A second start changes nothing.
    assert "up already" in cells.succeed("sandbox", "up")
    assert cells.status().keys() == rows.keys()
    other = cells("sandbox", "up", "--tree", "api(other)")
    assert other.returncode == 2
    assert "cells sandbox down" in other.stderr

    # A killed manager is detected and restarted; the others stay.
    os.kill(rows["east"]["pid"], signal.SIGKILL)
    poll(lambda: not is_alive(rows["east"]["pid"]), "the manager of east is gone")
    assert {name: row["state"] for name, row in cells.status().items() if row["state"] != "running"} == {"east": "dead"}
    assert "without east" in cells.succeed("sandbox", "up")
    again = cells.status()
    assert [name for name in rows if rows[name]["pid"] != again[name]["pid"]] == ["east"]
    assert ping(cells, "api", "az1") == "api!east!az1"

    cells.succeed("sandbox", "down")
    assert not cells.directory.exists()
    assert [row for row in again.values() if is_alive(row["pid"])] == []
    assert "no sandbox" in cells.succeed("sandbox", "down")
    gone = cells("sandbox", "status", "-f", "json")
    assert gone.json() == []
    assert "no sandbox" in gone.stderr


def check_guide_to_services(cells: Commands) -> None:
    """The commands of the guide "Call a service in another cell", which uses the same tree."""
    server = ServiceProcess(INVENTORY / "server.py", cells.directory / "az1" / "cells.conf", "az1")
    try:
        server.wait_ready()
        printed = run_example("client.py", cells.directory / "api" / "cells.conf").splitlines()
        shown = guide_output()
        # The cells answer a call of all cells in any order.
        assert (printed[:5], sorted(printed[5:])) == (shown[:5], sorted(shown[5:]))
        words = ["service", "call", "az1", "inventory", "count", "kind=disk", "--version", "1.2", "-f", "json"]
        assert cells.succeed("--sandbox", "api", *words) == "3\n"
    finally:
        server.kill9()


def test_a_killed_sandbox_starts_again_with_the_same_tree(cells: Commands) -> None:
    cells.succeed("sandbox", "up", "--tree", "api(b)")
    before = cells.status()
    for row in before.values():
        os.kill(row["pid"], signal.SIGKILL)
    poll(lambda: not any(is_alive(row["pid"]) for row in before.values()), "all are gone")
    assert "Removing the old sandbox" in cells.succeed("sandbox", "up")
    assert {row["state"] for row in cells.status().values()} == {"running"}
    assert cells.status().keys() == before.keys()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_start_leaves_nothing(cells: Commands, number: signal.Signals) -> None:
    up = cells.begin("sandbox", "up", "--tree", TREE)
    try:
        poll(lambda: any(row["state"] == "running" for row in cells.status().values()), "one manager runs")
        pids = [row["pid"] for row in cells.status().values() if row["pid"]]
        second = cells("sandbox", "up")
        # On a fast machine it may have started in the meantime.
        assert second.returncode == 0 or "Another 'cells sandbox up'" in second.stderr
        up.send_signal(number)
        _, stderr = up.communicate(timeout=60)
    finally:
        up.kill()
    assert "Traceback" not in stderr
    if up.returncode:
        assert not cells.directory.exists()
        assert [pid for pid in pids if is_alive(pid)] == []


def test_a_manager_that_does_not_start_is_named_with_its_output(cells: Commands) -> None:
    # Python runs this module at start; it ends only the process of the manager.
    cells.directory.parent.joinpath("sitecustomize.py").write_text(
        "import os, sys\nif 'cells.cmd.manager' in sys.orig_argv and 'b/cells.conf' in sys.orig_argv[-1]:\n"
        "    print('out of order', flush=True)\n    os._exit(3)\n"
    )
    done = subprocess.run(
        [program("cells"), "sandbox", "up", "--tree", "api(b)", "--directory", str(cells.directory)],
        env={**os.environ, "PYTHONPATH": str(cells.directory.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2
    assert "cell b ended with status 3" in done.stderr
    assert "out of order" in done.stderr
    assert not cells.directory.exists()


def test_the_demonstration_needs_no_server_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/demo.py"],
        cwd=ROOT,
        # A clean environment, and a directory with a short name.
        env={**os.environ, "CELLS_SANDBOX": str(tmp_path / "unused")},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    assert "$ cells --sandbox api ping az1" in done.stdout
    assert "└── east *" in done.stdout
    assert "The sandbox is removed." in done.stdout
    assert [Path(path) for path in re.findall(r"in (/\S+/sandbox)\.", done.stdout) if Path(path).exists()] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM], ids=lambda number: number.name)
def test_the_demonstration_that_is_interrupted_leaves_nothing(short_path: Path, number: signal.Signals) -> None:
    with demonstration(short_path) as (demo, directory):
        poll(lambda: processes.find(directory), "a manager runs")
        # To each of its processes, like a terminal, and a second time, like an impatient user.
        os.killpg(demo.pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, number)
        _, stderr = demo.communicate(timeout=100)
    assert demo.returncode == 130
    assert "everything is removed" in stderr
    assert processes.find(directory) == []
    assert list(short_path.iterdir()) == []


def test_the_demonstration_with_a_closed_output_leaves_nothing(short_path: Path) -> None:
    with demonstration(short_path) as (demo, directory):
        poll(lambda: processes.find(directory), "a manager runs")
        for stream in (demo.stdout, demo.stderr):
            assert stream is not None
            stream.close()
        demo.wait(timeout=150)
    assert processes.find(directory) == []
    assert list(short_path.iterdir()) == []


@contextlib.contextmanager
def demonstration(directory: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run the demonstration with its temporary directory in ``directory``; yield it and its sandbox's directory."""
    demo = subprocess.Popen(
        [sys.executable, "tools/demo.py"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with demo:
        try:
            # Not any entry: Python's tempfile module first creates and removes a file to see whether it may write.
            poll(lambda: list(directory.glob("cells-*")), "the demonstration has begun")
            yield demo, next(directory.glob("cells-*")) / "sandbox"
        finally:
            demo.kill()


@pytest.mark.rabbitmq
def test_the_life_of_a_sandbox_on_rabbitmq(
    cells: Commands, rabbitmq: VirtualHostPool, own_virtual_hosts: Callable[[], list[str]]
) -> None:
    cells.succeed("sandbox", "up", "--tree", "api(b)", "--transport", rabbitmq_server.URL)
    urls = own_virtual_hosts()
    assert len(urls) == 2
    assert ping(cells, "api", "b") == "api!b"
    for url in urls:
        virtual_hosts.check_reachable(url)
    cells.succeed("sandbox", "down")
    for url in urls:
        with pytest.raises(exceptions.SandboxError):
            virtual_hosts.check_reachable(url)
    assert "no sandbox" in cells.succeed("sandbox", "down")


def kill9(cells: Commands, *names: str) -> None:
    rows = cells.status()
    for name in names:
        os.kill(rows[name]["pid"], signal.SIGKILL)
    poll(lambda: not any(is_alive(rows[name]["pid"]) for name in names), "they are gone")


def cells_that_answer(cells: Commands) -> list[str]:
    answers = json.loads(cells.succeed("--sandbox", "api", "broadcast", "ping", "-f", "json"))
    return sorted(answer["cell"] for answer in answers if not answer["error"])


def links_of(cells: Commands, name: str) -> dict[str, tuple[str, str | None]]:
    """Return driver and addresses of each neighbor of the cell."""
    rows = json.loads(cells.succeed("--sandbox", name, "neighbor", "list", "-f", "json"))
    return {row["name"]: (row["driver"], row["addresses"]) for row in rows}


@contextlib.contextmanager
def listening_at(address: str) -> Iterator[None]:
    """Listen at the port of a killed process, as soon as the kernel has closed the process's socket."""
    taken: list[socket.socket] = []

    def take() -> bool:
        with contextlib.suppress(OSError):
            taken.append(reserved_port.reserve(int(address.rpartition(":")[2])))
        return bool(taken)

    poll(take, f"{address} is free")
    with taken[0]:
        taken[0].listen()
        yield


@pytest.mark.rabbitmq
def test_direct_links_on_rabbitmq_survive_killed_managers(
    cells: Commands, rabbitmq: VirtualHostPool, own_virtual_hosts: Callable[[], list[str]]
) -> None:
    cells.succeed("sandbox", "up", "--tree", TREE, "--transport", rabbitmq_server.URL)
    address = links_of(cells, "az1")["east"][1]
    assert links_of(cells, "az1") == {"east": ("direct", address)}
    assert links_of(cells, "east") == {"api": ("direct", links_of(cells, "west")["api"][1]), "az1": ("direct", None)}
    # Without an address of az1, east reaches it over the connection that az1 has opened.
    assert ping(cells, "api", "az1") == "api!east!az1"
    assert ping(cells, "az1", "api!west") == "api!west"
    assert cells_that_answer(cells) == sorted(PATHS)

    kill9(cells, "east")
    assert "without east" in cells.succeed("sandbox", "up")
    assert links_of(cells, "az1")["east"][1] == address
    assert cells_that_answer(cells) == sorted(PATHS)

    # Meanwhile another process takes the port of east.
    kill9(cells, "east")
    with listening_at(str(address)):
        assert "other ports" in cells.succeed("sandbox", "up")
    assert links_of(cells, "az1")["east"][1] != address
    assert ping(cells, "api", "az1") == "api!east!az1"

    before = links_of(cells, "az1")
    kill9(cells, *cells.status())
    assert "Removing the old sandbox" in cells.succeed("sandbox", "up")
    assert links_of(cells, "az1") == before
    assert cells_that_answer(cells) == sorted(PATHS)


def test_direct_links_need_no_broker(cells: Commands) -> None:
    cells.succeed("sandbox", "up", "--tree", "api(b)", "--links", "direct")
    assert links_of(cells, "api") == {"b": ("direct", None)}
    assert ping(cells, "b", "api") == "api"
    other = cells("sandbox", "up", "--links", "rpc")
    assert other.returncode == 2
    assert "cells sandbox down" in other.stderr


@pytest.mark.rabbitmq
def test_the_demonstration_on_rabbitmq_shows_a_child_that_dials_in(
    tmp_path: Path, rabbitmq: VirtualHostPool, own_virtual_hosts: Callable[[], list[str]]
) -> None:
    done = subprocess.run(
        [sys.executable, "tools/demo.py", "--transport", rabbitmq_server.URL],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"\| az1 +\| child +\| direct +\| None ", done.stdout)
    assert "answer from api!east!az1" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def own_virtual_hosts(cells: Commands) -> Callable[[], list[str]]:
    """Return a function that gives the transport URLs of the sandbox's cells."""
    if shutil.which("rabbitmqctl", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("no rabbitmqctl, which the sandbox needs for its virtual hosts")

    def read() -> list[str]:
        names = json.loads((cells.directory / "sandbox.json").read_text())["virtual_hosts"].values()
        return [f"{rabbitmq_server.URL.rstrip('/')}/{name}" for name in names]

    return read
