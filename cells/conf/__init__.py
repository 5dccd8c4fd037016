"""The options of this project, one option group per file.

Nothing here reads an option: :mod:`cells.service` and the commands do, and pass
the values on.
"""

from cells.conf.options import list_opts, load, load_command_line, register, set_defaults

__all__ = ["list_opts", "load", "load_command_line", "register", "set_defaults"]
