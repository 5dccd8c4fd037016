"""Replies that arrive: whatever a method raises or returns, its caller gets an error at once instead of a timeout.

oslo.messaging replies with an instance of Exception.  It sends no reply if the method raises another class
(KeyboardInterrupt, SystemExit, GeneratorExit), if the methods of the exception raise when the library reads them, or
if the result has no JSON form.
"""

from __future__ import annotations

from typing import Any

from oslo_messaging._drivers import common as rpc_common

from cells.failure import name_of, text_of

#: Raised for a result that has no JSON form, before the broker is asked.
_NO_JSON = (TypeError, ValueError, RecursionError)


def sendable(error: BaseException) -> Exception:
    """Return ``error`` if oslo.messaging can send it, and otherwise an error that describes it; never raises."""
    try:
        if isinstance(error, Exception):
            rpc_common.serialize_remote_exception((type(error), error, None))
            return error
    except BaseException:  # the methods of the exception may raise any class
        return RuntimeError(f"{name_of(error)}, which cannot be sent: {text_of(error)}")
    return RuntimeError(f"The method raised {name_of(error)}({text_of(error)})")


class SureDispatcher:
    """A dispatcher of oslo.messaging that raises only instances of Exception."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dispatcher, name)

    def dispatch(self, incoming: Any) -> Any:
        """Run the method; called by the server."""
        try:
            return self._dispatcher.dispatch(incoming)
        except Exception:
            raise
        except BaseException as error:  # it would end the thread, and the caller would get no answer
            problem = sendable(error).with_traceback(error.__traceback__)
        raise problem


class SureIncoming:
    """A request whose result or error becomes another error if it cannot be sent."""

    def __init__(self, incoming: Any) -> None:
        self._incoming = incoming

    def __getattr__(self, name: str) -> Any:
        return getattr(self._incoming, name)

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the reply; called by the server."""
        if failure is not None:
            error = sendable(failure[1])
            self._incoming.reply(failure=(type(error), error, failure[2]))
            return
        try:
            self._incoming.reply(reply)
        except _NO_JSON as error:
            problem = ValueError(f"The result of the method has no JSON form: {text_of(error)}")
            self._incoming.reply(failure=(ValueError, problem, None))
