"""Several managers in one process: ``python -m bench.managers CONFIGURATION...``, until the end of standard input.

A tree of a hundred processes would need minutes to start, and memory that few machines have.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cells import conf, service


def main(*files: str) -> None:
    """Run a manager for each configuration file."""
    managers = [service.build(conf.load([Path(file)])) for file in files]
    for manager in managers:
        manager.start()
    print("ready", flush=True)
    sys.stdin.read()
    for manager in managers:
        manager.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
