"""The two releases of a mixed tree: the tested release, and an older release in a separate environment.

The older release is the real code of its commit.  It is installed beside the
libraries of the environment of the tests, so nothing is downloaded for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.upgrade.old_release import HANGS_AT_STOP, LOSES_AT_STOP, OLD_COMMIT

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 120.0

ASK_WHO = """
import json
from importlib import metadata
import cells
try:
    from cells import versions
except ImportError:
    from cells.drivers import versions
found = metadata.distribution("cells-intercell").locate_file("cells")
print(json.dumps({"package": cells.__path__[0], "installed": str(found), "version": versions.CURRENT}))
"""


class NoHistory(Exception):
    """Raised when the old commit is missing: in a shallow clone, or in an unpacked archive."""


@dataclass(frozen=True)
class Release:
    """Environment with an installed release of this project."""

    name: str
    #: directory of its python and its console scripts
    programs: Path
    #: whether its managers lose messages while they stop
    loses_at_stop: bool = False
    #: whether its managers may hang while they stop
    hangs_at_stop: bool = False

    def program(self, name: str) -> str:
        """Return the path of ``cells``, ``cells-manager`` or ``python``."""
        return str(self.programs / name)

    def identity(self) -> dict[str, str]:
        """Return the directory of the package, the directory of its installation, and the newest API."""
        # Not in the checkout, whose package Python would import.
        answer: dict[str, str] = json.loads(run([self.program("python"), "-c", ASK_WHO], self.programs))
        return answer


def new_release() -> Release:
    """Return the tested release: the environment that runs the tests."""
    return Release("new", Path(sys.executable).parent)


def install_old_release(directory: Path, repository: Path = ROOT) -> Release:
    """Install the old commit into an environment in ``directory``.

    :raises NoHistory: the source is no clone of the repository, or a shallow clone
    """
    tree, environment = directory / "tree", directory / "environment"
    tree.mkdir(parents=True)
    archive = directory / "tree.tar"
    try:
        run(["git", "archive", "--output", str(archive), OLD_COMMIT], repository)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise NoHistory(
            f"commit {OLD_COMMIT} is not in {repository}: run this in a clone with its whole history "
            f'("git fetch --unshallow"). git says: {str(reason).strip()}'
        ) from error
    run(["tar", "-xf", str(archive), "-C", str(tree)], directory)
    venv.EnvBuilder(symlinks=True).create(environment)
    release = Release("old", environment / "bin", LOSES_AT_STOP, HANGS_AT_STOP)
    _share_libraries(release)
    pip = [sys.executable, "-m", "pip", "--python", release.program("python"), "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(tree)], directory)
    return release


def _share_libraries(release: Release) -> None:
    """Let the environment import the libraries of this environment, after its own."""
    (own,) = (release.programs.parent / "lib").glob("python*/site-packages")
    others = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    (own / "libraries.pth").write_text("".join(f"{place}\n" for place in others))


def run(command: Sequence[str], directory: Path) -> str:
    """Return the output of the command; its complaints are in the error."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    if done.returncode:
        sys.stderr.write(done.stderr)
    done.check_returncode()
    return done.stdout
