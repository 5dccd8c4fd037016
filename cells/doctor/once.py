"""A fact that several checks need, and that the first of them finds out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """A function that runs once; later and concurrent callers wait for its value or its error.  Thread-safe."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._values: list[T] = []
        self._error: Exception | None = None

    def __call__(self) -> T:
        """Return the value.

        :raises Exception: the error of the function
        """
        with self._lock:
            if not self._values and self._error is None:
                try:
                    self._values.append(self._compute())
                except Exception as error:  # every caller gets it
                    self._error = error
        if self._error is not None:
            raise self._error
        return self._values[0]
