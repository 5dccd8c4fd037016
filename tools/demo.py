"""A tree of three levels on this machine, set up and used with an operator's commands; "tools/demo" runs this file.

Each line that starts with ``$`` is a command as an operator would type it.  The sandbox is
in a temporary directory and is always taken down at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    # Run as a script, by tools/demo.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cells.transport.url import mask
from tools.manager_process import ProcessError, program

TREE = "api(east(az1,az2),west)"
COMMAND_TIMEOUT_SECONDS = 180.0
#: Ctrl-C, the end of the terminal, and the signal of a supervisor.
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


class Demo:
    """Commands on one sandbox, in order."""

    def __init__(self, directory: str, transport: str | None) -> None:
        self._environment = {**os.environ, "CELLS_SANDBOX": str(Path(directory) / "sandbox")}
        self._transport = [] if transport is None else ["--transport", transport]
        # Those of "sandbox up" without --links.
        self._has_direct_links = transport is not None and not transport.startswith("zmq")

    def run(self) -> None:
        """Set up the tree and use it."""
        say("Set up a tree of cells, each with its own manager, directory and database:")
        self._type("sandbox", "up", "--tree", TREE, *self._transport)
        say("Ping the cell two hops below the top:")
        self._type("--sandbox", "api", "ping", "az1", "--count", "3")
        say("Call a method of that cell from the top; then, from that cell, a method of a cell under another parent:")
        self._type("--sandbox", "api", "call", "api!east!az1", "ping", "-f", "json")
        self._type("--sandbox", "az1", "call", "api!west", "ping", "-f", "json")
        say("Call a method of all cells:")
        self._type("--sandbox", "api", "broadcast", "ping", "-f", "value", *_columns("cell", "value"))
        say("Show the tree as a cell in the middle knows it:")
        self._type("--sandbox", "east", "topology")
        if self._has_direct_links:
            say("Show that az1 only dials in, because links are direct on RabbitMQ: east has no address of it:")
            self._type("--sandbox", "east", "neighbor", "list", *_columns("name", "type", "driver", "addresses"))
            say("Ping that cell over the connection that it has opened:")
            self._type("--sandbox", "east", "ping", "az1")
        say("Show the processes of the sandbox:")
        self._type("sandbox", "status")

    def stop(self) -> None:
        """Take the sandbox down, whatever its state."""
        # The reader of the output may have ended, as in "tools/demo | head".
        with contextlib.suppress(OSError):
            say("Take the sandbox down:")
        self._type("sandbox", "down")

    def _type(self, *arguments: str) -> None:
        shown = shlex.join(mask(word) if "://" in word else word for word in arguments)
        with contextlib.suppress(OSError):
            print(f"$ cells {shown}", flush=True)
        process = subprocess.Popen([program("cells"), *arguments], env=self._environment, stdin=subprocess.DEVNULL)
        try:
            status = process.wait(COMMAND_TIMEOUT_SECONDS)
        except BaseException:
            # The command then undoes its work.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(COMMAND_TIMEOUT_SECONDS)
            process.kill()
            process.wait()
            raise
        if status:
            raise ProcessError(f"the command above ended with status {status}")


def _columns(*names: str) -> list[str]:
    return [word for name in names for word in ("-c", name)]


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}", flush=True)


def run(transport: str | None) -> None:
    """Run the demo, and leave nothing behind."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        demo = Demo(directory, transport)
        try:
            demo.run()
        finally:
            # The demo is ending already: ignore further signals here and in the command.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            demo.stop()
    print(f"\nDone in {time.monotonic() - started:.0f} s.")


def main() -> int:
    """Run the demo from the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Set up a tree of three levels on this machine, use it, and take it down."
    )
    parser.add_argument(
        "--transport", metavar="URL", help="for RabbitMQ: rabbit://guest:guest@127.0.0.1:5672/ (default: no broker)"
    )
    arguments = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        run(arguments.transport)
    except (ProcessError, subprocess.TimeoutExpired, OSError) as error:
        print(f"demo: {' '.join(str(error).split())[:1000]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything is removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
