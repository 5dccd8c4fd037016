"""ClientException: an error that a method means to raise, for whoever called it and for nobody's log.

It is oslo.messaging's ExpectedException, so every server of oslo.messaging, a
consumer of :class:`cells.rpc.Connection` or any other, sends what it holds to the
caller, and writes no traceback.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import oslo_messaging

F = TypeVar("F", bound=Callable[..., Any])


class ClientException(oslo_messaging.ExpectedException):  # type: ignore[misc]  # oslo.messaging has no types
    """Holds the error that is expected: the one that is being handled, or the one that is given.

    The caller sees that error and never this class::

        raise ClientException(NoSuchVolume(volume_id))
    """

    def __init__(self, error: BaseException | None = None) -> None:
        """:raises RuntimeError: there is no error, neither given nor being handled"""
        super().__init__()
        if error is not None:
            self.exc_info = (type(error), error, error.__traceback__)
        elif sys.exc_info()[1] is None:
            raise RuntimeError("A ClientException needs an error: give it one, or raise it in an except block.")

    def __str__(self) -> str:
        return str(self.exc_info[1])


def client_exceptions(*classes: type[BaseException]) -> Callable[[F], F]:
    """Decorator of a method: errors of these classes are expected.

    ::

        @client_exceptions(NoSuchVolume)
        def attach(self, context, volume_id): ...
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def expecting(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except classes as error:
                raise ClientException(error) from error

        return expecting  # type: ignore[return-value]  # it takes and gives the same

    return decorate
