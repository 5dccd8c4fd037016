"""Registration of all options, and functions that read the configuration of a command or daemon."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log

from cells import exceptions
from cells.conf import api, cells, default, direct, files, metrics, scheduler, upgrade_levels, zmq

_GROUPS = (default, cells, scheduler, api, direct, metrics, upgrade_levels, zmq)
#: Libraries that log details for developers at a level that operators read.
LOG_LEVELS = ("alembic=WARN", "amqp=ERROR", "oslo.service=INFO", "oslo_service.backend=WARN", "stevedore=ERROR")
#: options of the command line, which oslo.config uses as they are: a path may have a '$'
_PATHS = frozenset({"config_file", "config_dir"})
DEFAULT_CONNECTION = "sqlite:///$state_path/cells.sqlite"


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return the options that ``oslo-config-generator`` writes into the sample (entry point oslo.config.opts)."""
    return [(group.GROUP, list(group.OPTIONS)) for group in _GROUPS]


def set_defaults() -> None:
    """Give options of other libraries the defaults of this project.

    Called by the sample generator too (entry point oslo.config.opts.defaults).
    """
    cfg.set_defaults(db_options.database_opts, connection=DEFAULT_CONNECTION)


def register(conf: cfg.ConfigOpts) -> None:
    """Register every option of this project, and those of oslo.db, on ``conf``."""
    for group in _GROUPS:
        conf.register_opts(group.OPTIONS, group=group.GROUP)
    set_defaults()
    conf.register_opts(db_options.database_opts, group="database")


def load(config_files: Sequence[str | Path], arguments: Sequence[str] = ()) -> cfg.ConfigOpts:
    """Return a configuration read from ``config_files``.

    :param arguments: further command line options of oslo.config, for example ``--config-dir``
    :raises cells.exceptions.ConfigurationError: a file is missing or unreadable, or
        a value is of a wrong type or out of range
    """
    return _load(
        arguments, prog=None, default_config_files=[str(path) for path in config_files], default_config_dirs=[]
    )


def load_command_line(program: str, arguments: Sequence[str]) -> cfg.ConfigOpts:
    """Return a configuration for a daemon: ``--config-file``, ``--config-dir``, logging options.

    Without ``--config-file``, the default directories of oslo.config are searched for ``cells.conf``.

    :raises cells.exceptions.ConfigurationError: as :func:`load`, and as :func:`cells.conf.files.check`
    """
    conf = _load(arguments, prog=program)
    files.check(conf)
    return conf


def _load(arguments: Sequence[str], **options: Any) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    register(conf)
    log.register_options(conf)
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *LOG_LEVELS])
    try:
        conf(list(arguments), project="cells", version=metadata.version("cells-intercell"), **options)
        check(conf)
    except UnicodeDecodeError as error:
        raise exceptions.ConfigurationError(
            f"The configuration is invalid: {_file_of(error)} is not UTF-8: {error}. Save it as UTF-8."
        ) from error
    except (cfg.Error, OSError) as error:
        raise exceptions.ConfigurationError(f"The configuration is invalid: {error}") from error
    return conf


def _file_of(error: UnicodeDecodeError) -> str:
    """Return the path of the file that oslo.config was reading, which its error does not name."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        parser = frame.f_locals.get("self")
        if isinstance(parser, cfg.ConfigParser):
            return str(parser.filename)
    return "a configuration file"


def check(conf: cfg.ConfigOpts) -> None:
    """Read every registered option once, those of libraries included, so that a wrong value is an error at start.

    :raises cells.exceptions.ConfigurationError: a value is wrong; the error names its group and option
    """
    # Those first to which the values of others refer.
    for name in [*(option.dest for option in default.OPTIONS), *sorted(set(conf) - _PATHS)]:
        values = _read("DEFAULT", conf, name)
        if isinstance(values, cfg.ConfigOpts.GroupAttr):
            for option_name in list(values):
                _read(name, values, option_name)
    for group in _GROUPS:
        values = conf[group.GROUP] if group.GROUP else conf
        for option in group.OPTIONS:
            # oslo.config reads an empty number as None, without an error.
            if values[option.dest] is None and option.default is not None:
                name = f"[{group.GROUP or 'DEFAULT'}] {option.name}"
                raise exceptions.ConfigurationError(f"{name} is empty: set a value or remove the line.")


def _read(group: str, values: Any, name: str) -> Any:
    """Return the value of an option, or a group.

    :raises cells.exceptions.ConfigurationError: the value is wrong
    """
    where = f"[{group}] {name}"
    try:
        return values[name]
    except (cfg.NoSuchOptError, cfg.TemplateSubstitutionError):
        # The option is registered, so its value names another one.  That name may be a part of a password.
        raise exceptions.ConfigurationError(
            f"{where} has a '$', which refers to another option, and no such option exists: write each '$' of the "
            "value as '$$'."
        ) from None
    except (cfg.Error, ValueError) as error:
        reason = str(error).rpartition("is not valid: ")[2]
        raise exceptions.ConfigurationError(f"{where} is invalid: {reason}") from error
