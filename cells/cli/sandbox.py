"""``cells sandbox``: a whole tree of cells on this machine, to try things out.

``cells --sandbox CELL ...``, which talks to one of them, is a global option: see
:mod:`cells.cmd.cells`.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from cliff import lister

from cells import exceptions
from cells.cli import base, tree
from cells.sandbox import layout
from cells.sandbox import tree as notation

if TYPE_CHECKING:
    from cells.sandbox.sandbox import Sandbox
    from cells.sandbox.sandbox import Up as SandboxIsUp

_COLUMNS = ("cell", "path", "state", "pid", "memory_mb", "log")


class _SandboxCommand(base.CellCommand):
    """Base of the commands here."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which sandbox."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--directory",
            metavar="DIRECTORY",
            help=f"where it is (default: ${layout.ENVIRONMENT_VARIABLE} or {layout.DEFAULT_DIRECTORY})",
        )
        return parser

    def sandbox(self, parsed_args: argparse.Namespace) -> Sandbox:
        """The sandbox that is meant, which need not be there."""
        from cells.sandbox.sandbox import Sandbox  # noqa: PLC0415  # it loads SQLAlchemy and oslo.messaging

        return Sandbox(parsed_args.directory)

    def say(self, text: str) -> None:
        """Write a line for people."""
        print(text, file=self.app.stdout, flush=True)


class Up(_SandboxCommand):
    """Set up a tree of cells on this machine: a cells-manager per cell, with SQLite and without a broker.

    If it is up already, managers that have ended are started again.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Its shape, and what it talks over."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--tree",
            type=_tree,
            metavar="TREE",
            help="a name, and in parentheses its children; az[1-50] stands for az1 to az50 "
            f"(default: the tree that is there, or '{notation.DEFAULT_TREE}')",
        )
        parser.add_argument(
            "--transport",
            metavar="URL",
            help="rabbit://user:password@host:5672/ gives each cell a virtual host on that RabbitMQ, "
            "which must be on this machine (default: no broker)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        sandbox = self.sandbox(parsed_args)
        with _interrupted_by_signals():
            up = sandbox.up(parsed_args.tree, parsed_args.transport, self.say)
        self._show(up)
        self._explain(up.tree, sandbox)

    def _show(self, up: SandboxIsUp) -> None:
        if not up.started:
            self.say("The sandbox is up already:")
        elif len(up.started) < len(up.tree.names()):
            self.say(f"The sandbox was up already, without {', '.join(up.started)}; now all of it is:")
        else:
            self.say("The sandbox is up:")
        strokes = tree.strokes_for(getattr(self.app.stdout, "encoding", None))
        for line in tree.draw(up.topology, strokes):
            self.say(f"    {line}")

    def _explain(self, shape: notation.Tree, sandbox: Sandbox) -> None:
        *_, deepest = sorted(shape.names(), key=dict(_depths(shape)).__getitem__)
        commands = [f"cells --sandbox {shlex.quote(shape.name)} ping {shlex.quote(deepest)}"]
        if shape.children:
            commands.append(f"cells --sandbox {shlex.quote(shape.children[0].name)} topology")
        commands += [f"cells --sandbox {shlex.quote(shape.name)} broadcast ping", "cells sandbox status"]
        if sandbox.directory != layout.find_directory():
            commands.insert(0, f"export {layout.ENVIRONMENT_VARIABLE}={shlex.quote(str(sandbox.directory))}")
        self.say("Talk to it:")
        for command in commands:
            self.say(f"    {command}")
        self.say("Take it down:\n    cells sandbox down")


class Status(_SandboxCommand, lister.Lister):
    """Show the cells of the sandbox, and which of their managers run."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Called by cliff."""
        sandbox = self.sandbox(parsed_args)
        cells = sandbox.status()
        if cells is None:
            self.app.stderr.write(f"{self.app.NAME}: {_nothing_in(sandbox)}; 'cells sandbox up' sets one up.\n")
        return _COLUMNS, [
            (
                cell.path.last,
                str(cell.path),
                "dead" if cell.pid is None else "running",
                cell.pid,
                cell.memory_mb,
                str(cell.log),
            )
            for cell in cells or ()
        ]


class Down(_SandboxCommand):
    """End all managers of the sandbox and remove all that belongs to it."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        sandbox = self.sandbox(parsed_args)
        was_there = sandbox.down()
        self.say("The sandbox is taken down." if was_there else f"{_nothing_in(sandbox)}.")


def _nothing_in(sandbox: Sandbox) -> str:
    return f"There is no sandbox in {sandbox.directory}"


def _depths(shape: notation.Tree) -> Iterator[tuple[str, int]]:
    for path, _ in shape.walk():
        yield path.last, len(path)


def _tree(text: str) -> notation.Tree:
    """An argparse type."""
    try:
        return notation.parse(text)
    except exceptions.SandboxError as error:
        raise argparse.ArgumentTypeError(error.message.rstrip(".")) from None


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Have SIGTERM, and the end of the terminal, take back what was begun, as Ctrl-C does."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    # Under nohup the end of the terminal stays without effect.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
