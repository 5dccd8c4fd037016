"""``cells sandbox``: a whole tree of cells on this machine, for trials and tests.

The global option ``cells --sandbox CELL ...`` selects a cell of the tree: see
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
from cells.sandbox import layout, state
from cells.sandbox import tree as notation

if TYPE_CHECKING:
    from cells.sandbox.sandbox import Sandbox
    from cells.sandbox.sandbox import Up as SandboxIsUp

_COLUMNS = ("cell", "path", "state", "pid", "memory_mb", "log")


class _SandboxCommand(base.CellCommand):
    """Base of the sandbox commands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--directory",
            metavar="DIRECTORY",
            help=f"directory of the sandbox (default: ${layout.ENVIRONMENT_VARIABLE} or {layout.DEFAULT_DIRECTORY})",
        )

    def sandbox(self, parsed_args: argparse.Namespace) -> Sandbox:
        """Return the sandbox of the given directory, which may not exist yet."""
        from cells.sandbox.sandbox import Sandbox  # noqa: PLC0415  # it imports SQLAlchemy and oslo.messaging

        return Sandbox(parsed_args.directory)


class Up(_SandboxCommand):
    """Set up a tree of cells on this machine: a cells-manager per cell, with SQLite and without a broker.

    If the sandbox is up already, the command starts the managers that have ended.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--tree",
            type=_tree,
            metavar="TREE",
            help="name of the top cell, with its children in parentheses; az[1-50] means az1 to az50 "
            f"(default: the tree of the existing sandbox, or '{notation.DEFAULT_TREE}')",
        )
        parser.add_argument(
            "--transport",
            metavar="URL",
            help="rabbit://user:password@host:5672/ gives each cell a virtual host on that RabbitMQ, "
            "which must run on this machine (default: no broker)",
        )
        parser.add_argument(
            "--links",
            choices=state.LINKS,
            help="driver of the links between the cells: direct connects the managers to each other over TLS, with a "
            "certificate for each cell; rpc sends to the neighbor's broker or sockets (default: direct with RabbitMQ, "
            "rpc without a broker)",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Set up the sandbox and print example commands; called by cliff."""
        sandbox = self.sandbox(parsed_args)
        with _interrupted_by_signals():
            up = sandbox.up(parsed_args.tree, parsed_args.transport, parsed_args.links, self.say)
        self._show(up)
        self._explain(up.tree, sandbox)

    def _show(self, up: SandboxIsUp) -> None:
        if not up.started:
            self.say("The sandbox is up already:")
        elif len(up.started) < len(up.tree.names()):
            self.say(f"The sandbox was up without {', '.join(up.started)}; these managers were started again:")
        else:
            self.say("The sandbox is up:")
        for line in tree.draw(up.topology, tree.strokes_for(self.app.stdout)):
            self.say(f"    {line}")

    def _explain(self, shape: notation.Tree, sandbox: Sandbox) -> None:
        *_, deepest = sorted((path for path, _ in shape.walk()), key=len)
        commands = [f"cells --sandbox {shlex.quote(shape.name)} ping {shlex.quote(deepest.last)}"]
        if shape.children:
            commands.append(f"cells --sandbox {shlex.quote(shape.children[0].name)} topology")
        commands += [f"cells --sandbox {shlex.quote(shape.name)} broadcast ping", "cells sandbox status"]
        if sandbox.directory != layout.find_directory():
            commands.insert(0, f"export {layout.ENVIRONMENT_VARIABLE}={shlex.quote(str(sandbox.directory))}")
        self.say("Use it:")
        for command in commands:
            self.say(f"    {command}")
        self.say("Remove it:")
        self.say("    cells sandbox down")


class Status(_SandboxCommand, lister.Lister):
    """Show the cells of the sandbox, and the state of their managers."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return a row for each cell; called by cliff."""
        sandbox = self.sandbox(parsed_args)
        cells = sandbox.status()
        if cells is None:
            self.app.stderr.write(f"{self.app.NAME}: {_no_sandbox_in(sandbox)}; create it with 'cells sandbox up'.\n")
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
    """Stop all managers of the sandbox and remove all its files and virtual hosts."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove the sandbox; called by cliff."""
        sandbox = self.sandbox(parsed_args)
        existed = sandbox.down()
        self.say("The sandbox is removed." if existed else f"{_no_sandbox_in(sandbox)}.")


def _no_sandbox_in(sandbox: Sandbox) -> str:
    return f"There is no sandbox in {sandbox.directory}"


def _tree(text: str) -> notation.Tree:
    """Return the parsed tree; an argparse type."""
    try:
        return notation.parse(text)
    except exceptions.SandboxError as error:
        raise argparse.ArgumentTypeError(error.message.rstrip(".")) from None


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Raise SystemExit on SIGTERM and SIGHUP in the block, so that a partial setup is undone as after Ctrl-C."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    # nohup ignores SIGHUP: keep it ignored.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
