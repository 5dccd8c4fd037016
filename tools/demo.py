"""A tree of three levels on the local RabbitMQ, set up and used as an operator would.

Every line that starts with ``$`` is a command that runs just so; only what it runs on is
temporary: virtual hosts with random names, and a directory with the
configuration files and SQLite databases.  All of it is removed at the end.

``CELLS_DEMO_RABBIT_URL`` names another RabbitMQ than guest's on this machine.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    # Run as a script, which is how tools/demo does it.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import virtual_hosts
from tools.manager_process import ManagerProcess, ProcessError
from tools.polling import poll

URL = os.environ.get("CELLS_DEMO_RABBIT_URL", "rabbit://guest:guest@127.0.0.1:5672/")
#: (parent, child), top first
LINKS = (("api", "east"), ("api", "west"), ("east", "az1"))
NAMES = ("api", "east", "west", "az1")
OPTIONS = {"cells": {"announce_interval": 2, "call_timeout": 10}}


class Demo:
    """The cells of the demonstration, and what is shown of them."""

    def __init__(self, directory: Path, urls: Sequence[str]) -> None:
        self._managers = {
            name: ManagerProcess(directory, name, url, options=OPTIONS) for name, url in zip(NAMES, urls, strict=True)
        }

    def run(self) -> None:
        """Set the tree up and use it."""
        say("Each cell has a configuration file and a virtual host of its own. Create the databases:")
        for name in NAMES:
            self._type(name, "db", "sync")
        say("Tell each cell who its neighbours are:")
        for parent, child in LINKS:
            self._register(parent, child, "child")
            self._register(child, parent, "parent")
        say("Start one manager per cell:")
        for name, manager in self._managers.items():
            echo(f"cells-manager --config-file {name}.conf &")
            manager.start()
        for manager in self._managers.values():
            manager.wait_ready()
        poll(self._is_formed, "all cells know each other")
        self._show()

    def _show(self) -> None:
        say("The tree, as the top sees it:")
        self._type("api", "topology")
        say("Is the cell two hops below there?")
        self._type("api", "ping", "az1", "--count", "3")
        say("Call a method there, from the top; then from there in a cell under another parent:")
        self._type("api", "call", "api!east!az1", "ping", "-f", "json")
        self._type("az1", "call", "api!west", "ping", "-f", "json")
        say("Ask all cells at once:")
        self._type("api", "broadcast", "ping", "--direction", "down")

    def stop(self) -> None:
        """Take all managers down."""
        for manager in self._managers.values():
            manager.begin_stop()
        for manager in self._managers.values():
            manager.stop()

    def _register(self, cell: str, neighbor: str, kind: str) -> None:
        url = self._managers[neighbor].transport_url
        self._type(cell, "neighbor", "create", neighbor, "--type", kind, "--transport-url", url)

    def _type(self, cell: str, *arguments: str) -> None:
        echo(f"cells --config-file {cell}.conf {shlex.join(map(masked, arguments))}")
        print(self._managers[cell].succeed(*arguments).stdout, end="", flush=True)

    def _is_formed(self) -> bool:
        answer = self._managers["api"].cells("topology", "-f", "json")
        return answer.returncode == 0 and all(f'"{name}"' in answer.stdout for name in NAMES)


def say(text: str) -> None:
    """A heading."""
    print(f"\n{text}", flush=True)


def echo(command: str) -> None:
    """A command, as it would stand in a terminal."""
    print(f"$ {command}", flush=True)


def masked(argument: str) -> str:
    """The argument without a password, unless it is the one that everybody knows."""
    password = urllib.parse.urlsplit(argument).password if "://" in argument else None
    return argument if password in (None, "guest") else argument.replace(f":{password}@", ":***@")


def run(url: str) -> None:
    """Create what the demonstration needs, show it, and remove everything."""
    started = time.monotonic()
    virtual_hosts.check_reachable([url])
    hosts = virtual_hosts.VirtualHosts(url, prefix="cells-demo")
    with tempfile.TemporaryDirectory(prefix="cells-demo-") as directory:
        try:
            demo = Demo(Path(directory), hosts.create(len(NAMES)))
            try:
                demo.run()
            finally:
                say("Take everything down again.")
                demo.stop()
        finally:
            hosts.delete()
    print(f"Done in {time.monotonic() - started:.0f} s.")


def main() -> int:
    """Run it from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Set up a tree of three levels on RabbitMQ and show it at work.")
    parser.add_argument("--rabbit-url", default=URL, help="transport URL of the RabbitMQ to use (default: %(default)s)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(arguments.rabbit_url)
    except (virtual_hosts.BrokerError, ProcessError, TimeoutError, OSError) as error:
        print(f"demo: {' '.join(str(error).split())[:1000]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted, everything is removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
