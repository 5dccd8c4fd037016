"""A value that an object computes once, when it is first asked for.

``functools.cached_property`` holds a lock, one for all objects of a class, before Python 3.12: a microsecond for each
message, and threads that wait for each other.  Here two threads may both compute the value of an immutable object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class memo(Generic[T]):  # noqa: N801  # a decorator
    """Decorator of a method without arguments: it becomes an attribute."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> memo[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object, owner: type) -> memo[T] | T:
        if instance is None:
            return self
        # From now on the attribute is found here first.
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
