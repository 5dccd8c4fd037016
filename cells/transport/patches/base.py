"""Base of all patches: one module each, with the name by which an operator switches it off."""

from __future__ import annotations

import abc
import functools
import inspect
import threading
from importlib import metadata
from typing import Any

from oslo_config import cfg


class Patch(abc.ABC):
    """One dependence on a private part of a library, which a new release may change.

    A patch belongs to the process, as the library does: there is one instance, made by its module.  Thread-safe.
    """

    #: the value of [cells] disabled_patches that switches it off
    name: str
    library = "oslo.messaging"

    def __init__(self) -> None:
        self.is_disabled = False
        self._lock = threading.Lock()
        self._is_installed = False

    @functools.cached_property
    def is_applicable(self) -> bool:
        """Whether the installed library has the private parts that the patch uses."""
        try:
            return self._is_applicable()
        except (ImportError, AttributeError):
            return False

    @property
    def is_active(self) -> bool:
        """Whether the patch may be used: it is not disabled, and applicable."""
        return not self.is_disabled and self.is_applicable

    def is_disabled_by(self, conf: cfg.ConfigOpts) -> bool:
        """Return whether the configuration of a client process switches the patch off."""
        try:
            return self.name in conf.cells.disabled_patches
        except (cfg.NoSuchOptError, cfg.NoSuchGroupError):
            return False

    def apply(self) -> bool:
        """Change the library in this process, unless the patch is disabled or not applicable; return whether it works.

        May be called twice.
        """
        with self._lock:
            if self.is_active and not self._is_installed:
                self._install()
                self._is_installed = True
        return self.is_active

    @property
    def release(self) -> str:
        """Name and version of the installed library."""
        return f"{self.library} {metadata.version(self.library)}"

    @abc.abstractmethod
    def _is_applicable(self) -> bool:
        """Return whether the library has all parts; may raise ImportError or AttributeError if it has not."""

    def _install(self) -> None:  # noqa: B027  # most patches change nothing in the library
        """Change the library.  Called at most once."""


def names_in(function: Any) -> set[str]:
    """Return the names of attributes and globals that a function uses; another patch may have wrapped it."""
    return set(inspect.unwrap(function).__code__.co_names)


def texts_in(function: Any) -> set[str]:
    """Return the text constants of a function."""
    constants = function.__code__.co_consts
    # The keys of a dict are one tuple.
    flat = [inner for constant in constants for inner in (constant if isinstance(constant, tuple) else (constant,))]
    return {constant for constant in flat if isinstance(constant, str)}
