"""The configuration files of a program: those that its command line names, or those that it finds by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oslo_config import cfg

from cells import exceptions
from cells.ownership import check_is_ours

#: Directories below the home directory that oslo.config searches; only root can write to the others, as to /etc.
_SEARCHED_BELOW_HOME = ("", ".cells")


def find(program: str) -> list[str]:
    """Return the files that a program uses if its command line names none.

    :raises cells.exceptions.ConfigurationError: as :func:`check`
    """
    found = cfg.find_config_files(project="cells", prog=program)
    _check_found(found)
    return found


def check(conf: cfg.ConfigOpts) -> None:
    """Check that there is a file, and that no other user can have written those that no command line named.

    :raises cells.exceptions.ConfigurationError: there is none, or another user may have written one
    """
    if not conf.config_file and not conf.config_dir:
        raise exceptions.ConfigurationError("There is no configuration file: give its path with --config-file.")
    for files, defaults in (
        (conf.config_file, conf.default_config_files),
        (conf.config_dir, conf.default_config_dirs),
    ):
        if files == defaults:
            _check_found(files)


def _check_found(paths: Iterable[str]) -> None:
    # A program that root starts with the home directory of another user, as "sudo" may do, would obey that user: a
    # configuration can name files to write, and a file of log settings, which is code.
    homes = {Path("~", name).expanduser() for name in _SEARCHED_BELOW_HOME}
    for path in map(Path, paths):
        if path.parent in homes:
            try:
                check_is_ours(path)
            except OSError as error:
                raise exceptions.ConfigurationError(
                    f"The configuration file {path} was found and is not used: {error}. Give its path with "
                    "--config-file, or run 'chmod go-w' if it is yours."
                ) from error
