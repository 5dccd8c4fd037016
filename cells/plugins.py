"""Loader of the plug-ins that an option or a database row names: drivers, MatchMakers, filters, weighers.

A plug-in that does not load is an error that names the plug-in; it is never skipped silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from cells import exceptions

T = TypeVar("T")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of plug-ins."""

    namespace: str  #: of the entry points
    noun: str  #: for error texts
    base: type[T]  #: base class of the plug-ins
    advice: str  #: remedy for an unknown name, besides installing the package

    def make(self, name: str, argument: Any) -> T:
        """Create the plug-in ``name`` with the constructor argument ``argument``.

        :raises cells.exceptions.PluginError: the plug-in is unknown, does not load, or has another base class
        :raises cells.exceptions.CellsError: the constructor raised this error
        """
        try:
            loaded: Any = stevedore_driver.DriverManager(self.namespace, name, on_load_failure_callback=self._refuse)
        except stevedore_exception.NoMatches as error:
            raise exceptions.PluginError(
                f"There is no {self.noun} {name!r}: install its package, or {self.advice}."
            ) from error
        try:
            made = loaded.driver(argument)
        except exceptions.CellsError:
            raise
        except Exception as error:  # a constructor may raise anything
            raise exceptions.PluginError(
                f"The {self.noun} {name!r} cannot be created: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(made, self.base):
            raise exceptions.PluginError(
                f"The {self.noun} {name!r} must be a {self.base.__name__}, not {type(made).__name__}."
            )
        return made

    def _refuse(self, _manager: object, entry_point: object, error: BaseException) -> None:
        raise exceptions.PluginError(
            f"The {self.noun} {getattr(entry_point, 'name', entry_point)!r} cannot be loaded: {error}."
        ) from error
