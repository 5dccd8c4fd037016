"""ClientException: an expected error of a method, for its caller and not for the log.

It is oslo.messaging's ExpectedException, so every server of oslo.messaging, including a
consumer of :class:`cells.rpc.Connection`, sends the expected error to the caller and does
not log a traceback.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import oslo_messaging

F = TypeVar("F", bound=Callable[..., Any])


class ClientException(oslo_messaging.ExpectedException):  # type: ignore[misc]  # oslo.messaging has no types
    """Wrapper of an expected error: the given error, or the error that is being handled.

    The caller gets the expected error and never this class::

        raise ClientException(NoSuchVolume(volume_id))
    """

    def __init__(self, error: BaseException | None = None) -> None:
        """:raises RuntimeError: no error is given and none is being handled"""
        super().__init__()
        if error is not None:
            self.exc_info = (type(error), error, error.__traceback__)
        elif sys.exc_info()[1] is None:
            raise RuntimeError("A ClientException needs an error: pass an error, or raise it in an except block.")

    def __str__(self) -> str:
        return str(self.exc_info[1])


def client_exceptions(*classes: type[BaseException]) -> Callable[[F], F]:
    """Return a decorator of a method whose errors of these classes are expected.

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

        return expecting  # type: ignore[return-value]  # same arguments and value

    return decorate
