"""State file of a sandbox: its tree, its transport and its links as JSON.  The file marks a directory as a sandbox.

The file does not list the running managers, because a process can end at any time:
:mod:`cells.sandbox.processes` finds them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions, ownership
from cells.sandbox import tree
from cells.sandbox.layout import LOCK_FILE, STATE_FILE, Layout

FORMAT = "cells sandbox"
#: begin of the names of the virtual hosts of all sandboxes
VIRTUAL_HOST = "cells-sandbox-"
#: drivers of the links between the cells
LINKS = DIRECT, RPC = "direct", "rpc"


@dataclass(frozen=True)
class State:
    """Tree, transport and links of a sandbox."""

    tree: tree.Tree
    transport: str = field(repr=False)  #: URL of ``--transport``, with its password
    virtual_hosts: Mapping[str, str] = field(default_factory=dict)  #: by cell; empty without a broker
    links: str = RPC  #: driver of the links between the cells
    ports: Mapping[str, int] = field(default_factory=dict)  #: by cell; empty without direct links

    def to_json(self) -> str:
        """Return the text of the state file."""
        values = {
            "format": FORMAT,
            "tree": str(self.tree),
            "transport": self.transport,
            "virtual_hosts": dict(self.virtual_hosts),
            "links": self.links,
            "ports": dict(self.ports),
        }
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> State:
        """Read the text of a state file.

        :raises ValueError: the text is not a state
        :raises cells.exceptions.SandboxError: its tree is malformed
        """
        values: Any = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError("this command did not write it")
        # Releases before direct links wrote neither links nor ports.
        links, ports = values.get("links", RPC), values.get("ports", {})
        texts = (values.get("tree"), values.get("transport"))
        virtual_hosts = values.get("virtual_hosts")
        if not all(isinstance(value, str) for value in texts) or not isinstance(virtual_hosts, dict):
            raise ValueError("a value is missing or has a wrong type")
        if links not in LINKS:
            raise ValueError(f"this release has no links of the driver {links!r:.40}")
        if not isinstance(ports, dict) or not all(isinstance(port, int) for port in ports.values()):
            raise ValueError("a port has a wrong type")
        if not all(isinstance(name, str) and name.startswith(VIRTUAL_HOST) for name in virtual_hosts.values()):
            # "cells sandbox down" deletes them.
            raise ValueError(f"the name of a virtual host does not begin with {VIRTUAL_HOST}")
        return cls(tree.parse(values["tree"]), values["transport"], virtual_hosts, links, ports)


def read(layout: Layout) -> State | None:
    """Return the state of the sandbox, None if there is no sandbox.

    :raises cells.exceptions.SandboxError: the file cannot be read, or another user may have written it
    """
    try:
        # It names resources to delete.
        for place in (layout.directory, layout.state):
            ownership.check_is_ours(place)
        text = layout.state.read_text(encoding="utf-8")
        return State.from_json(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, exceptions.SandboxError) as error:
        raise exceptions.SandboxError(
            f"The state of the sandbox, {layout.state}, cannot be read: {error}. "
            "Give another directory with --directory; if this one is yours, run 'chmod go-w', or remove it by hand if "
            "you do not need it."
        ) from error


def write(layout: Layout, state: State) -> None:
    """Write ``state`` to a file that only this user can read, because it may have a password."""
    fresh = layout.state.with_suffix(".new")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(state.to_json())
        fresh.replace(layout.state)
    except BaseException:
        # Later commands refuse a directory that has only this file.
        fresh.unlink(missing_ok=True)
        raise


def check_is_ours(layout: Layout) -> None:
    """Check that the directory does not exist, is empty, or is a sandbox.

    :raises cells.exceptions.SandboxError: the directory has other files
    """
    try:
        found = set(os.listdir(layout.directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise exceptions.SandboxError(f"{layout.directory} cannot be the directory of a sandbox: {error}.") from error
    if STATE_FILE not in found and found - {LOCK_FILE}:
        raise exceptions.SandboxError(
            f"{layout.directory} is not empty and has no {STATE_FILE}, so it is not a sandbox, and its files are "
            "not changed. Give another directory with --directory."
        )


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the lock of the sandbox during the block, so that no other command changes the sandbox.

    :raises cells.exceptions.SandboxError: another command holds the lock, or the lock file cannot be opened
    """
    try:
        lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise exceptions.SandboxError(f"The lock of the sandbox cannot be opened: {error}.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise exceptions.SandboxError(
                f"Another 'cells sandbox up' or 'down' runs in {layout.directory}: wait until it has ended."
            ) from None
        # The previous holder of the lock may have removed the lock file with the sandbox.
        if not (layout.lock.exists() and os.path.samestat(os.fstat(lock), os.stat(layout.lock))):
            raise exceptions.SandboxError(f"The sandbox in {layout.directory} was just removed: try again.")
        yield
    finally:
        os.close(lock)
