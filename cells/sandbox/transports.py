"""Transports between the cells of a sandbox: sockets in their directories, or virtual hosts of a RabbitMQ."""

from __future__ import annotations

import dataclasses
import re
import secrets
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Mapping

from cells import exceptions
from cells.sandbox import virtual_hosts
from cells.sandbox.layout import Layout
from cells.sandbox.state import VIRTUAL_HOST, State
from cells.transport import url as transport_url

BROKERLESS = "zmq:///"

Options = Mapping[str, Mapping[str, object]]


class SandboxTransport(ABC):
    """Base of the transports of a sandbox; the constructor does no I/O."""

    def __init__(self, layout: Layout, state: State) -> None:
        self._layout = layout
        self._state = state

    @abstractmethod
    def create(self) -> None:
        """Create the resources of the cells.  Called once, before any manager starts; may block.

        :raises cells.exceptions.SandboxError: a resource cannot be created
        """

    @abstractmethod
    def delete(self) -> None:
        """Remove the resources of :meth:`create`, if they exist.  Called after the last manager has ended; may block.

        :raises cells.exceptions.SandboxError: a resource remains
        """

    @abstractmethod
    def own_url(self, name: str) -> str:
        """Return ``[DEFAULT] transport_url`` of a cell."""

    @abstractmethod
    def neighbor_url(self, name: str) -> str:
        """Return the URL of a cell in the databases of its neighbors."""

    def options(self, name: str) -> Options:  # noqa: ARG002  # a subclass needs the name
        """Return further options of a cell, by section."""
        return {}


class Brokerless(SandboxTransport):
    """Sockets in a directory of each cell."""

    def create(self) -> None:
        """Check that the paths are short enough; the managers create the sockets."""
        self._layout.check_sockets(self._state.tree.names())

    def delete(self) -> None:
        """Do nothing: the sockets are removed with the directory of the cell."""

    def own_url(self, name: str) -> str:  # noqa: ARG002  # the options have the directory of the cell
        return BROKERLESS

    def neighbor_url(self, name: str) -> str:
        return f"zmq+ipc://{urllib.parse.quote(str(self._layout.cell(name).sockets))}"

    def options(self, name: str) -> Options:
        files = self._layout.cell(name)
        # The manager would use [database] connection; services of the cell have no such option and read this one.
        return {
            "oslo_messaging_zmq": {"ipc_dir": files.sockets, "matchmaker_connection": f"sqlite:///{files.database}"}
        }


class Rabbit(SandboxTransport):
    """A virtual host for each cell, on a RabbitMQ that may have other users."""

    def create(self) -> None:
        virtual_hosts.check_reachable(self._state.transport)
        virtual_hosts.create(self._state.virtual_hosts.values(), virtual_hosts.user(self._state.transport))

    def delete(self) -> None:
        virtual_hosts.delete(self._state.virtual_hosts.values())

    def own_url(self, name: str) -> str:
        url = transport_url.parse(self._state.transport)
        return str(dataclasses.replace(url, virtual_host=self._state.virtual_hosts[name]))

    def neighbor_url(self, name: str) -> str:
        return self.own_url(name)


def normalize(url: str) -> str:
    """Return the transport URL for the value of ``--transport``.

    :raises cells.exceptions.SandboxError: a sandbox does not support the transport
    """
    if url.rstrip(":/") == "zmq":
        return BROKERLESS
    try:
        parsed = transport_url.parse(url)
        transport_url.check_usable(parsed)
    except exceptions.InvalidNeighbor as error:
        raise exceptions.SandboxError(f"The transport cannot be used: {error.message}") from error
    if parsed.transport not in transport_url.RABBITMQ_TRANSPORTS:
        raise exceptions.SandboxError(
            f"A sandbox cannot use {transport_url.mask(url)}: use {BROKERLESS} for no broker, "
            "or rabbit://user:password@host:5672/ for virtual hosts on a RabbitMQ of this machine."
        )
    return url


def names_of_virtual_hosts(url: str, names: list[str]) -> dict[str, str]:
    """Return a unique name for the virtual host of each cell; empty if ``url`` needs no virtual hosts."""
    if url == BROKERLESS:
        return {}
    sandbox = f"{VIRTUAL_HOST}{secrets.token_hex(4)}"
    return {
        name: f"{sandbox}-{number}-{re.sub('[^A-Za-z0-9_.-]', '_', name)}" for number, name in enumerate(names, start=1)
    }


def transport_of(layout: Layout, state: State) -> SandboxTransport:
    """Return the transport of a sandbox."""
    return (Brokerless if state.transport == BROKERLESS else Rabbit)(layout, state)
