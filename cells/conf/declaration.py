"""Declaration of an option: the settings on one line, the help text below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslo_config import cfg


def option(kind: type[cfg.Opt], name: str, **settings: Any) -> Callable[[str], cfg.Opt]:
    """Return a function that takes the help text of the option ``name`` and returns the option."""
    return lambda text: kind(name, help=text, **settings)
