"""A network namespace from which connections can be opened, and to which none can be opened, as behind a firewall.

The namespace, "inside", is joined with this machine by a namespace that routes::

    this machine (host) --- router --- inside

Toward the inside, the router forwards packets from the port at which managers of this machine listen: answers on
connections that were opened inside.  All other packets, such as the first one of a connection, get lost.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator

import pytest

#: Table of the routes of packets that get lost.
_LOST = "213"


class OutwardNetwork:
    """Two namespaces with random names and addresses; root privileges are required.

    :ivar address: of this machine, as the inside sees it
    :ivar inside_address: of the inside
    :ivar prefix: command that executes another command inside
    """

    def __init__(self, port: int) -> None:
        """:param port: at which managers of this machine listen"""
        number = secrets.randbelow(256)
        self._names = (f"cells-router-{number}", f"cells-inside-{number}")
        self._port = port
        self._host, self._outer, self._inner, self._inside = (f"cells{number}{end}" for end in "abcd")
        self.address, outer, inner, self.inside_address = (f"10.213.{number}.{last}" for last in (1, 2, 5, 6))
        self._addresses = {self._host: self.address, self._outer: outer, self._inner: inner}
        self.prefix = ["nsenter", f"--net=/run/netns/{self._names[1]}"]

    def start(self) -> None:
        """Make the namespaces, and connect them."""
        router, inside = self._names
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", self._host, "type", "veth", "peer", "name", self._outer, "netns", router)
        _ip("-n", router, "link", "add", self._inner, "type", "veth", "peer", "name", self._inside, "netns", inside)
        for namespace, device, address in (
            ([], self._host, self.address),
            (["-n", router], self._outer, self._addresses[self._outer]),
            (["-n", router], self._inner, self._addresses[self._inner]),
            (["-n", inside], self._inside, self.inside_address),
        ):
            _ip(*namespace, "address", "add", f"{address}/30", "dev", device)
            _ip(*namespace, "link", "set", device, "up")
        _ip("route", "add", f"{self.inside_address}/32", "via", self._addresses[self._outer])
        _ip("-n", inside, "route", "add", "default", "via", self._addresses[self._inner])
        self._filter(router)

    def _filter(self, router: str) -> None:
        _run("nsenter", f"--net=/run/netns/{router}", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        # Unlike an unreachable route, this one sends no error to the sender.
        _ip("-n", router, "route", "add", "blackhole", "default", "table", _LOST)
        target = ("to", self.inside_address)
        answers = ("ipproto", "tcp", "sport", str(self._port))
        _ip("-n", router, "rule", "add", "priority", "10", *target, *answers, "lookup", "main")
        _ip("-n", router, "rule", "add", "priority", "11", *target, "lookup", _LOST)

    def cut(self) -> None:
        """Take the link of the inside down; connections stay, and lose all packets."""
        _ip("-n", self._names[0], "link", "set", self._inner, "down")

    def restore(self) -> None:
        """Take the link of the inside up again."""
        _ip("-n", self._names[0], "link", "set", self._inner, "up")

    def close(self) -> None:
        """Remove the namespaces, with their devices.  May be called twice."""
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
        # The pair of devices goes with the namespace once its last process has ended.
        subprocess.run(["ip", "link", "delete", self._host], capture_output=True, check=False)


@contextlib.contextmanager
def outward_network(port: int) -> Iterator[OutwardNetwork]:
    """Yield a network; skip the test if this user or machine cannot make one."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "sysctl"))):
        pytest.skip("network namespaces need root, and the programs ip, nsenter and sysctl")
    network = OutwardNetwork(port)
    try:
        try:
            network.start()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces: {' '.join(error.cmd)}: {error.stderr.strip()}")
        yield network
    finally:
        network.close()


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)
