"""Large blocks go back to the system; measured in a process of its own, for such settings cannot be taken back."""

import os
import subprocess
import sys

PROGRAM = """
import threading
from cells.cmd import memory

assert memory.return_large_blocks() is {applied}

def resident_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS:"))

def work():
    blocks = [bytes(10_000_000).decode() for _ in range(3)]
    kept_behind_them.append(bytearray(1000))

kept_behind_them = []
before = resident_kb()
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print(resident_kb() - before)
"""


def run(applied: bool, **environment: str) -> int:
    """How many kB a process has grown by large blocks that it has freed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(applied=applied)],
        env={**{key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return int(done.stdout)


def test_freed_blocks_leave_nothing_behind() -> None:
    assert run(applied=True) < 4000


def test_an_operators_own_settings_stay() -> None:
    run(applied=False, MALLOC_ARENA_MAX="3")
