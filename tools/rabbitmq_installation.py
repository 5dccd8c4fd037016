"""Installations of RabbitMQ: that of this machine, and a Debian tree with a newer release, beside it.

``python -m tools.rabbitmq_installation`` installs the newer release and prints its version.  It needs root, the command
debootstrap, a mirror of Debian and about a minute; the result is kept in the user's cache.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Debian's programs on PATH switch to the user rabbitmq, which cannot enter the node's directory: bypass them.
PROGRAMS = "usr/lib/rabbitmq/bin"
MIRROR = os.environ.get("CELLS_TEST_DEBIAN_MIRROR", "http://deb.debian.org/debian")
#: Debian's release with RabbitMQ 4.3 or later
SUITE = "sid"
DIRECTORY = "CELLS_TEST_RABBITMQ43"
INSTALL_TIMEOUT_SECONDS = 900.0
#: Mounts that the tree needs, in a mount namespace of the process: they end with it.
ENTER = 'mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'


class InstallationError(Exception):
    """Raised when RabbitMQ is not installed, or cannot be; the text says what to do."""


@dataclass(frozen=True)
class Installation:
    """The programs of one RabbitMQ.

    :param root: the directory that its programs see as ``/``
    """

    root: Path = Path("/")

    def command(self, name: str) -> list[str]:
        """Return the words that start the program ``name``.

        :raises InstallationError: it is not installed
        """
        program = self.root / PROGRAMS / name
        if self.root != Path("/"):
            return ["unshare", "--mount", "sh", "-c", ENTER, str(self.root), f"/{PROGRAMS}/{name}"]
        found = str(program) if program.exists() else shutil.which(name)
        if not found:
            raise InstallationError(f"The program {name} is not installed: install the RabbitMQ server.")
        return [found]

    def inside(self, path: Path) -> Path:
        """Return ``path`` as the programs see it."""
        return Path("/") / path.relative_to(self.root)

    def nodes(self, default: Path) -> Path:
        """Return the directory for the files of nodes, by default ``default``."""
        return default if self.root == Path("/") else self.root / "var/lib/nodes"


MACHINE = Installation()


def newer() -> Installation:
    """Return RabbitMQ 4.3 or later; install it unless an earlier run has.

    :raises InstallationError: it cannot be installed
    """
    root = Path(os.environ.get(DIRECTORY) or Path.home() / ".cache/cells-rabbitmq-4.3")
    if not (root / PROGRAMS / "rabbitmq-server").exists():
        _install(root)
    return Installation(root)


def version(installation: Installation) -> str:
    """Return the version of RabbitMQ, from the name of its directory."""
    directory = next((installation.root / PROGRAMS).parent.glob("lib/rabbitmq_server-*"))
    return directory.name.partition("-")[2]


def _install(root: Path) -> None:
    if os.geteuid() != 0:
        raise InstallationError("Only root can install a second RabbitMQ beside that of this machine.")
    for program in ("debootstrap", "unshare"):
        if shutil.which(program) is None:
            raise InstallationError(f"The program {program} is missing: install it, on Debian with 'apt install'.")
    shutil.rmtree(root, ignore_errors=True)
    # Renamed when it is complete.
    part = root.with_name(f"{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    words = ["debootstrap", "--variant=minbase", "--include=rabbitmq-server", SUITE, str(part), MIRROR]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise InstallationError(f"{shlex.join(words)} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    (part / "etc/hosts").write_text("127.0.0.1 localhost\n")
    part.rename(root)


if __name__ == "__main__":
    try:
        print(f"RabbitMQ {version(newer())}")  # the output of the command
    except InstallationError as error:
        sys.exit(f"No newer RabbitMQ: {error}")
