"""Profile of a manager, recorded by py-spy from outside.

py-spy samples the stacks of threads that hold the interpreter's lock, of which a process
has only one.  The samples are counted by the library of the innermost frame, and by thread.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tools.manager_process import ProcessError

SAMPLES_PER_SECOND = 250
LONGEST_SECONDS = 600
STOP_TIMEOUT_SECONDS = 60.0
#: Number of functions in a table.
FUNCTIONS = 15
#: Part of a frame -> its library; the first match counts.
KINDS = {
    "json/": "json",
    "oslo_serialization/": "json",
    "<string>": "dataclasses",
    "dataclasses.py": "dataclasses",
    "oslo_messaging/": "oslo.messaging",
    "kombu/": "kombu, amqp",
    "amqp/": "kombu, amqp",
    "vine/": "kombu, amqp",
    "threading.py": "threads and locks",
    "queue.py": "threads and locks",
    "prometheus_client/": "counters",
    "logging/": "logging",
    "oslo_log/": "logging",
    "site-packages/cells/": "cells",
    "site-packages/": "other libraries",
    "/python3": "standard library",
    "/cells/": "cells",
}


@contextlib.contextmanager
def recorded(pid: int, into: Path) -> Iterator[None]:
    """Write the stacks of a process with their number of samples, a stack per line, while the block runs.

    :raises ProcessError: py-spy is not installed, or may not read the process
    """
    command = [_py_spy(), "record", "--pid", str(pid), "--format", "raw", "--gil", "--threads", "--nonblocking"]
    command += ["--rate", str(SAMPLES_PER_SECOND), "--duration", str(LONGEST_SECONDS), "--full-filenames"]
    process = subprocess.Popen(
        [*command, "--output", str(into)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    # py-spy prints a line when it starts to sample.
    output = process.stdout.readline()
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        output += process.communicate(timeout=STOP_TIMEOUT_SECONDS)[0]
    if process.returncode or not into.exists():
        raise ProcessError(f"py-spy failed: {output}")


def _py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if not found:
        raise ProcessError('py-spy is not installed: run "pip install py-spy", or omit --profile.')
    return found


def table(title: str, stacks: Path) -> str:
    """Return the shares of threads, libraries and functions, as Markdown."""
    threads: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        threads[frames[0].partition(": ")[2] or frames[0]] += int(count)
        kinds[_kind(frames[-1])] += int(count)
        functions[_function(frames[-1])] += int(count)
    tables = [_shares("thread", threads), _shares("library", kinds), _shares("function", functions)]
    return "\n\n".join([f"\nWhere the time goes in the {title} ({stacks})", *tables])


def libraries(stacks: Path) -> dict[str, float]:
    """Return the share of each library in percent, largest first."""
    kinds: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        kinds[_kind(stack.rpartition(";")[2])] += int(count)
    total = sum(kinds.values()) or 1
    return {kind: 100 * count / total for kind, count in kinds.most_common()}


def _kind(frame: str) -> str:
    return next((kind for part, kind in KINDS.items() if part in frame), "other")


def _function(frame: str) -> str:
    name, _, place = frame.partition(" (")
    return f"{name}, {'/'.join(place.rpartition(':')[0].split('/')[-2:])}"


def _shares(heading: str, counts: Counter[str]) -> str:
    total = sum(counts.values()) or 1
    lines = [f"| {name} | {100 * count / total:.0f} % |" for name, count in counts.most_common(FUNCTIONS)]
    return "\n".join([f"| {heading} | share |", "|---|---|", *lines])
