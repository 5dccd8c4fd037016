"""What a sandbox is: its tree, and its transport.  One JSON file, which is also the mark of a directory that is ours.

Which managers run is not in it: processes end without telling anybody, so that is
looked up, see :mod:`cells.sandbox.processes`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cells import exceptions
from cells.sandbox import tree
from cells.sandbox.layout import LOCK_FILE, STATE_FILE, Layout

FORMAT = "cells sandbox"


@dataclass(frozen=True)
class State:
    """What was set up."""

    tree: tree.Tree
    transport: str = field(repr=False)  #: as ``--transport`` gave it, with its password
    virtual_hosts: Mapping[str, str] = field(default_factory=dict)  #: by cell; empty where no broker is used

    def to_json(self) -> str:
        """The text of the file."""
        values = {
            "format": FORMAT,
            "tree": str(self.tree),
            "transport": self.transport,
            "virtual_hosts": dict(self.virtual_hosts),
        }
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> State:
        """The state of the text.

        :raises ValueError: it is none
        :raises cells.exceptions.SandboxError: the tree in it is none
        """
        values: Any = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError("it was not written by this command")
        texts = (values.get("tree"), values.get("transport"))
        virtual_hosts = values.get("virtual_hosts")
        if not all(isinstance(value, str) for value in texts) or not isinstance(virtual_hosts, dict):
            raise ValueError("a value in it is missing or of a wrong type")
        return cls(tree.parse(values["tree"]), values["transport"], virtual_hosts)


def read(layout: Layout) -> State | None:
    """The state of the sandbox that is there, None if none is.

    :raises cells.exceptions.SandboxError: it cannot be read
    """
    try:
        text = layout.state.read_text(encoding="utf-8")
        return State.from_json(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, exceptions.SandboxError) as error:
        raise exceptions.SandboxError(
            f"The state of the sandbox, {layout.state}, cannot be read: {error}. "
            "If nothing in that directory is needed, remove it by hand."
        ) from error


def write(layout: Layout, state: State) -> None:
    """Keep ``state``, readable by this user alone: it may hold a password."""
    fresh = layout.state.with_suffix(".new")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(state.to_json())
        fresh.replace(layout.state)
    except BaseException:
        # Alone in the directory it would be a file of somebody else's to every later command.
        fresh.unlink(missing_ok=True)
        raise


def check_is_ours(layout: Layout) -> None:
    """See that the directory is not there, or empty, or one of ours.

    :raises cells.exceptions.SandboxError: somebody keeps other files there
    """
    try:
        found = set(os.listdir(layout.directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise exceptions.SandboxError(f"{layout.directory} cannot be the directory of a sandbox: {error}.") from error
    if STATE_FILE not in found and found - {LOCK_FILE}:
        raise exceptions.SandboxError(
            f"{layout.directory} is not empty and has no {STATE_FILE}, so it is no sandbox's directory: "
            "nothing in it is touched. Name another one with --directory."
        )


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Keep every other command that changes this sandbox out during the block.

    :raises cells.exceptions.SandboxError: there is one at work, or the lock cannot be had
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
                f"Another 'cells sandbox up' or 'down' is at work in {layout.directory}: wait until it has ended."
            ) from None
        # Who held it before may have removed it with all the rest.
        if not (layout.lock.exists() and os.path.samestat(os.fstat(lock), os.stat(layout.lock))):
            raise exceptions.SandboxError(f"The sandbox in {layout.directory} was just taken down: try again.")
        yield
    finally:
        os.close(lock)
