"""Large blocks go back to the system; measured in a process of its own, for such settings cannot be taken back."""

import os
import subprocess
import sys

from cells.cmd import memory

PROGRAM = """
import threading
from cells.cmd import memory

assert memory.return_large_blocks()

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


def test_freed_blocks_leave_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert int(done.stdout) < 4000


def test_settings_of_the_operator_stay() -> None:
    assert not memory.return_large_blocks({"MALLOC_ARENA_MAX": "3"})
