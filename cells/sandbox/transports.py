"""How the cells of a sandbox reach each other: by sockets in their directories, or over virtual hosts of a broker."""

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
from cells.sandbox.state import State
from cells.transport import url as transport_url

BROKERLESS = "zmq:///"

Options = Mapping[str, Mapping[str, object]]


class SandboxTransport(ABC):
    """What a sandbox needs of a transport; a state says all that there is to know of it."""

    def __init__(self, layout: Layout, state: State) -> None:
        self._layout = layout
        self._state = state

    @abstractmethod
    def create(self) -> None:
        """Make what the cells need.  Called once, before any manager starts; may block.

        :raises cells.exceptions.SandboxError: it cannot be made
        """

    @abstractmethod
    def delete(self) -> None:
        """Remove what :meth:`create` made, as far as it is there.  Called when no manager runs any more; may block.

        :raises cells.exceptions.SandboxError: something is left
        """

    @abstractmethod
    def own_url(self, name: str) -> str:
        """``[DEFAULT] transport_url`` of a cell."""

    @abstractmethod
    def neighbor_url(self, name: str) -> str:
        """The URL under which its neighbors register a cell."""

    def options(self, name: str) -> Options:  # noqa: ARG002  # for those who need the name
        """Further options of a cell, by section."""
        return {}


class Brokerless(SandboxTransport):
    """Sockets in a directory of each cell."""

    def create(self) -> None:
        """See that the paths are short enough: whoever serves makes the sockets itself."""
        self._layout.check_sockets(self._state.tree.names())

    def delete(self) -> None:
        """The sockets go with the directory."""

    def own_url(self, name: str) -> str:  # noqa: ARG002  # the options say where
        return BROKERLESS

    def neighbor_url(self, name: str) -> str:
        return f"zmq+ipc://{urllib.parse.quote(str(self._layout.cell(name).sockets))}"

    def options(self, name: str) -> Options:
        files = self._layout.cell(name)
        # A manager knows where its database is; the services of the cell read it here.
        return {
            "oslo_messaging_zmq": {
                "ipc_dir": files.sockets,
                "matchmaker_connection": f"sqlite:///{files.database}",
            }
        }


class Rabbit(SandboxTransport):
    """A virtual host for each cell, on a RabbitMQ that other programs may use too."""

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
    """The transport that ``--transport`` names.

    :raises cells.exceptions.SandboxError: it is none that a sandbox can have
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
            f"A sandbox cannot use {transport_url.mask(url)}: there are {BROKERLESS}, "
            "and rabbit://user:password@host:5672/ for virtual hosts on a RabbitMQ of this machine."
        )
    return url


def names_of_virtual_hosts(url: str, names: list[str]) -> dict[str, str]:
    """A name for the virtual host of each cell, which nobody else has; empty if ``url`` needs none."""
    if url == BROKERLESS:
        return {}
    sandbox = f"cells-sandbox-{secrets.token_hex(4)}"
    return {
        name: f"{sandbox}-{number}-{re.sub('[^A-Za-z0-9_.-]', '_', name)}" for number, name in enumerate(names, start=1)
    }


def transport_of(layout: Layout, state: State) -> SandboxTransport:
    """The transport of a sandbox."""
    return (Brokerless if state.transport == BROKERLESS else Rabbit)(layout, state)
