"""Links between the cells of a sandbox: over their transports, or direct ones, with certificates and ports."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timezone

from cells import conf as cells_conf
from cells import private_files
from cells.certificates import issuing
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.sandbox.layout import Layout
from cells.sandbox.state import DIRECT, RPC, State
from cells.sandbox.transports import BROKERLESS, Options, SandboxTransport
from cells.transport.reserved_port import HOST

#: A sandbox that is used for years is set up again more often than its certificates would have to be replaced.
CERTIFICATE_DAYS = 3650


class SandboxLinks(ABC):
    """Base of the links of a sandbox; the constructor does no I/O."""

    @abstractmethod
    def create(self) -> None:
        """Create files in the directories of the cells, which exist.  Called once, before any manager starts.

        :raises OSError: a file cannot be created
        """

    @abstractmethod
    def options(self, name: str) -> Options:
        """Return the options of a cell for its links, by section."""

    @abstractmethod
    def neighbor(self, name: str, *, is_parent: bool) -> Neighbor:
        """Return the row of a cell for the database of a neighbor.  Called after :meth:`create`.

        :param is_parent: whether the cell is the parent of that neighbor
        """


class RpcLinks(SandboxLinks):
    """Each cell sends to the transports of its neighbors."""

    def __init__(self, transport: SandboxTransport) -> None:
        self._transport = transport

    def create(self) -> None:
        """Do nothing: the transport has its own resources."""

    def options(self, name: str) -> Options:  # noqa: ARG002  # the transport has all options
        return {}

    def neighbor(self, name: str, *, is_parent: bool) -> Neighbor:
        return Neighbor(name, self._transport.neighbor_url(name), is_parent=is_parent)


class DirectLinks(SandboxLinks):
    """Managers of children connect to the managers of their parents; a parent never connects to a child.

    Each cell has a certificate in its directory, under the default names of [cells_direct], and its manager listens at
    a port of the loopback address.
    """

    def __init__(self, layout: Layout, state: State) -> None:
        self._layout = layout
        self._state = state

    def create(self) -> None:
        """Create the keys and certificates."""
        now = datetime.now(timezone.utc)
        for path, _ in self._state.tree.walk():
            files, key = self._layout.cell(path.last), issuing.new_key()
            certificate = issuing.self_signed(path, key, now=now, days=CERTIFICATE_DAYS)
            issuing.write({files.key: key, files.certificate: certificate})

    def options(self, name: str) -> Options:
        return {"cells_direct": {"listen": _address(self._state.ports[name])}}

    def neighbor(self, name: str, *, is_parent: bool) -> Neighbor:
        return Neighbor(
            name,
            "",
            is_parent=is_parent,
            driver=DIRECT,
            addresses=_address(self._state.ports[name]) if is_parent else None,
            certificates=self._layout.cell(name).certificate.read_text(encoding="ascii"),
        )


def default(transport: str) -> str:
    """Return the driver of the links if the operator names none.

    Without a broker, both drivers connect the managers to each other, and ``rpc`` needs no ports and certificates.
    With RabbitMQ, direct links are faster, and no cell has a login to the virtual host of another.

    :param transport: normalized URL of ``--transport``
    """
    return RPC if transport == BROKERLESS else DIRECT


def links_of(layout: Layout, state: State, transport: SandboxTransport) -> SandboxLinks:
    """Return the links of a sandbox."""
    return DirectLinks(layout, state) if state.links == DIRECT else RpcLinks(transport)


def move(layout: Layout, state: State, ports: Mapping[str, int]) -> set[str]:
    """Write new ports of managers that do not run to their configurations, and to the databases of their children.

    :returns: names of these children; a running manager has to read its neighbors again
    :raises cells.exceptions.DatabaseError: a database cannot be changed
    :raises OSError: a file cannot be changed
    """
    for name, port in ports.items():
        config = layout.cell(name).config
        # Only this line: the operator may have changed others.
        text = re.sub(rf"(?m)^listen = {re.escape(HOST)}:\d+$", f"listen = {_address(port)}", config.read_text("utf-8"))
        private_files.write(config, text, mode=0o600)
    children = {child: parent for parent, child in state.tree.links() if parent in ports}
    for child, parent in children.items():
        with contextlib.closing(Database(cells_conf.load([layout.cell(child).config]))) as database:
            database.update(parent, addresses=_address(ports[parent]))
    return set(children)


def _address(port: int) -> str:
    return f"{HOST}:{port}"
