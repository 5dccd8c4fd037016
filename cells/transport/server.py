"""An oslo.messaging RPC server that dispatches on the thread that reads, and may reply later.

The endpoints behind it never block: they queue messages on links and return.
So no message is handed to a pool first, which costs more than most of them take.
A method that has to wait for another cell returns a
:class:`concurrent.futures.Future`; the reply is sent when it is done.  A manager
in which thousands of calls wait holds no thread for any of them.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, TypeVar

import oslo_messaging
from oslo_messaging.rpc import dispatcher as rpc_dispatcher
from oslo_messaging.rpc import server as rpc_server
from oslo_messaging.server import ordered

from cells import exceptions
from cells.transport.reply_address import ReplyAddress

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: What an endpoint returns, or the result of its future, when the client has its answer already.
NO_REPLY: Any = object()

_reply_to = contextvars.ContextVar[str]("reply_to", default="")


def reply_to() -> str:
    """Where the client waits whose request is dispatched on this thread, a :class:`ReplyAddress` as a text.

    Empty if it can be answered by this server alone.
    """
    return _reply_to.get()


class LongAnswer(futures.Future[T]):
    """The future of an answer that can tell its client that it will still come."""

    def __init__(self) -> None:
        super().__init__()
        self._on_still_working: Callable[[], object] | None = None

    def still_working(self) -> None:
        """Have a client that monitors its call wait on."""
        if self._on_still_working is not None and not self.done():
            self._on_still_working()

    def call_when_still_working(self, callback: Callable[[], object]) -> None:
        """Call ``callback``, which must not block, at each sign."""
        self._on_still_working = callback


class DirectRPCServer(rpc_server.RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """Replies when the endpoint's future is done, and logs a refused request in one line."""

    @ordered(after="start")  # type: ignore[untyped-decorator]  # oslo.messaging has no types
    def stop(self) -> None:
        """Take nothing more: what nobody has read yet is for others, at once."""
        if self.listener is not None:
            self.listener.stop()
            _give_back_unread(self.listener)

    def _on_incoming(self, incoming: Any) -> None:
        """Called by the base class on the thread that reads, once per message."""
        self._process_incoming(incoming)

    def _process_incoming(self, incoming: Any) -> None:
        message = incoming[0]
        error: BaseException | None = None
        result: Any = None
        _reply_to.set(_reply_address(message))
        try:
            message.acknowledge()
            result = self.dispatcher.dispatch(message)
        except Exception as raised:
            error = _expected(raised)
        if isinstance(result, futures.Future):
            if isinstance(result, LongAnswer):
                result.call_when_still_working(lambda: self._soon(message, _beat, message))
            result.add_done_callback(lambda done: self._reply_soon(message, done))
            return
        done: futures.Future[Any] = futures.Future()
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)
        self._reply_soon(message, done)

    def _reply_soon(self, message: Any, done: futures.Future[Any]) -> None:
        if done.exception() is None and done.result() is NO_REPLY:
            return
        self._soon(message, _reply, message, done)

    def _soon(self, message: Any, send: Callable[..., None], *arguments: Any) -> None:
        if getattr(message, "replies_at_once", False):
            send(*arguments)
            return
        # The reply waits for the broker to confirm it.  The thread here reads
        # messages, or belongs to somebody else: the pool of the server has to wait.
        try:
            self._work_executor.submit(send, *arguments)
        except RuntimeError:
            LOG.warning("A reply came after the server had stopped and is dropped.")


class CastServer(DirectRPCServer):
    """For methods that are only ever cast: it replies to nobody."""

    def _process_incoming(self, incoming: Any) -> None:
        message = incoming[0]
        problem: Exception | None = None
        try:
            message.acknowledge()
            self.dispatcher.dispatch(message)
        except Exception as error:
            problem = error
        if problem is not None:
            LOG.warning("A message from another cell is refused: %s: %s", type(problem).__name__, problem)


def _give_back_unread(listener: Any) -> None:
    """Have a listener for RabbitMQ that has stopped return what the broker has delivered since.

    Else it would read that while its connection is closed, acknowledge it and forget it.  So the broker gives it
    to another manager, or keeps it for the next one.
    """
    context = getattr(getattr(listener, "_poll_style_listener", None), "conn", None)
    # Other drivers, and perhaps another oslo.messaging, have nothing of that name, nor that need.
    consumers = getattr(getattr(context, "connection", None), "_consumers", {})
    for consumer in consumers:
        consumer.callback = _give_back
    for consumer, tag in consumers.items():
        try:
            consumer.cancel(tag)
        except Exception as problem:  # a broker that is gone has it back already
            LOG.debug("A consumer could not be cancelled: %s: %s", type(problem).__name__, problem)


def _give_back(message: Any) -> None:
    message.requeue()


def _reply_address(message: Any) -> str:
    # Of a message that came over RabbitMQ; those of other drivers have no queue.
    queue = getattr(message, "reply_q", None)
    # Who monitors its call has to hear from this server all the time.
    return str(ReplyAddress(message.msg_id, queue)) if queue and not message.client_timeout else ""


def _beat(message: Any) -> None:
    try:
        message.heartbeat()
    except Exception as problem:  # the client is gone, or the broker is
        LOG.debug("A client could not be told that its call still runs: %s: %s", type(problem).__name__, problem)


def _reply(message: Any, done: futures.Future[Any]) -> None:
    error = done.exception()
    if error is not None and not isinstance(error, exceptions.CellsError):
        LOG.warning("A request failed: %s: %s", type(error).__name__, error)
        LOG.debug("Where it failed:", exc_info=error)
    try:
        if error is None:
            message.reply(done.result())
        else:
            # Without tracebacks, its own or of what it was raised from: oslo.messaging adds them to the
            # text that the client shows, and where in this daemon it went wrong is of no use there.
            error.__cause__ = error.__context__ = None
            message.reply(failure=(type(error), error, None))
    except Exception as problem:  # the client is gone, or the broker is
        LOG.warning("A reply could not be sent: %s: %s", type(problem).__name__, problem)


def _expected(error: Exception) -> BaseException:
    """The error that an endpoint raised, without oslo.messaging's wrapper for expected ones."""
    if isinstance(error, rpc_dispatcher.ExpectedException):
        return error.exc_info[1]  # type: ignore[no-any-return]
    return error


def get_server(
    transport: Any,
    target: oslo_messaging.Target,
    endpoints: Sequence[object],
    server_class: type[DirectRPCServer] = DirectRPCServer,
) -> Any:
    """An RPC server for endpoint objects whose methods never block; not started."""
    return oslo_messaging.get_rpc_server(
        transport,
        target,
        list(endpoints),
        server_cls=server_class,
        access_policy=rpc_dispatcher.DefaultRPCAccessPolicy,
    )
