"""A plug-in that an option or a row names: found among entry points, made, and checked for what it is.

Drivers to neighbors and MatchMakers are such.  One that does not load is an error with a name, never a
silent skip.
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
    noun: str  #: as errors call one of them
    base: type[T]  #: of which each is
    advice: str  #: what to do if there is none of that name, beside installing its package

    def make(self, name: str, argument: Any) -> T:
        """The plug-in ``name``, made of ``argument``.

        :raises cells.exceptions.PluginError: there is none of that name, it does not load, or is of another kind
        :raises cells.exceptions.CellsError: whatever else its constructor says is wrong
        """
        try:
            loaded: Any = stevedore_driver.DriverManager(self.namespace, name, on_load_failure_callback=self._refuse)
        except stevedore_exception.NoMatches as error:
            raise exceptions.PluginError(
                f"There is no {self.noun} {name!r}: install the package that brings it, or {self.advice}."
            ) from error
        try:
            made = loaded.driver(argument)
        except exceptions.CellsError:
            raise
        except Exception as error:  # of a constructor of any kind
            raise exceptions.PluginError(
                f"The {self.noun} {name!r} cannot be made: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(made, self.base):
            raise exceptions.PluginError(
                f"The {self.noun} {name!r} is no {self.base.__name__} but {type(made).__name__}."
            )
        return made

    def _refuse(self, _manager: object, entry_point: object, error: BaseException) -> None:
        raise exceptions.PluginError(
            f"The {self.noun} {getattr(entry_point, 'name', entry_point)!r} cannot be loaded: {error}."
        ) from error
