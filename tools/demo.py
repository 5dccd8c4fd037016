"""A tree of three levels on this machine, set up and used as an operator would: "tools/demo" runs it.

Every line that starts with ``$`` is a command that runs just so.  The sandbox is in a
temporary directory, and is taken down at the end, whatever happens.
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
    # Run as a script, which is how tools/demo does it.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cells.transport.url import mask
from tools.manager_process import ProcessError, program

TREE = "api(east(az1,az2),west)"
COMMAND_TIMEOUT_SECONDS = 180.0
#: Ctrl-C, the end of the terminal, and what a supervisor sends.
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


class Demo:
    """The commands, in order, on one sandbox."""

    def __init__(self, directory: str, transport: str | None) -> None:
        self._environment = {**os.environ, "CELLS_SANDBOX": str(Path(directory) / "sandbox")}
        self._transport = [] if transport is None else ["--transport", transport]

    def run(self) -> None:
        """Set the tree up, and use it."""
        say("Set up a tree of cells: each has a manager, a directory and a database of its own.")
        self._type("sandbox", "up", "--tree", TREE, *self._transport)
        say("Is the cell two hops below the top there?")
        self._type("--sandbox", "api", "ping", "az1", "--count", "3")
        say("Call a method there, from the top; then from there in a cell under another parent:")
        self._type("--sandbox", "api", "call", "api!east!az1", "ping", "-f", "json")
        self._type("--sandbox", "az1", "call", "api!west", "ping", "-f", "json")
        say("Ask all cells at once:")
        self._type("--sandbox", "api", "broadcast", "ping", "-f", "value", "-c", "cell", "-c", "value")
        say("The tree, as a cell in the middle sees it:")
        self._type("--sandbox", "east", "topology")
        say("The processes behind it:")
        self._type("sandbox", "status")

    def stop(self) -> None:
        """Take all of it down; may be called whatever there is."""
        # Nobody may be there any more who reads it, "tools/demo | head" say.
        with contextlib.suppress(OSError):
            say("Take everything down again:")
        self._type("sandbox", "down")

    def _type(self, *arguments: str) -> None:
        shown = shlex.join(mask(word) if "://" in word else word for word in arguments)
        with contextlib.suppress(OSError):
            print(f"$ cells {shown}", flush=True)
        process = subprocess.Popen([program("cells"), *arguments], env=self._environment, stdin=subprocess.DEVNULL)
        try:
            status = process.wait(COMMAND_TIMEOUT_SECONDS)
        except BaseException:
            # It takes back what it has begun.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(COMMAND_TIMEOUT_SECONDS)
            process.kill()
            process.wait()
            raise
        if status:
            raise ProcessError(f"that command ended with status {status}")


def say(text: str) -> None:
    """A heading."""
    print(f"\n{text}", flush=True)


def run(transport: str | None) -> None:
    """Show it, and leave nothing behind."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cells-") as directory:
        demo = Demo(directory, transport)
        try:
            demo.run()
        finally:
            # Who is impatient has asked for the end already; the command inherits it.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            demo.stop()
    print(f"\nDone in {time.monotonic() - started:.0f} s.")


def main() -> int:
    """Run it from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Set up a tree of three levels on this machine, show it at work, and take it down."
    )
    parser.add_argument(
        "--transport", metavar="URL", help="rabbit://guest:guest@127.0.0.1:5672/ uses RabbitMQ (default: no broker)"
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
        print("demo: interrupted, everything is removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
