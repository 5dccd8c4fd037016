"""RPC servers of oslo.messaging: they stop promptly, dispatch on the thread that reads, and may reply later.

The endpoints of :class:`DirectRPCServer` never block: they queue messages on links and return.
So it hands no message to a pool first, which costs more than most messages take.
A method that has to wait for another cell returns a
:class:`concurrent.futures.Future`; the server replies when the future is done.  A manager
with thousands of calls in flight needs no thread for any of them.
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

from cells import exceptions, failure
from cells.limited_log import LimitedLog
from cells.transport import global_options, request_ids
from cells.transport.custody import Custody
from cells.transport.patches import redeclare, unread_messages
from cells.transport.patches.direct_replies import DIRECT_REPLIES, ReplyAddress
from cells.transport.sure_reply import SureDispatcher, SureIncoming, sendable

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class AlreadyAnswered(Exception):
    """Raised by an endpoint, or as the error of its future, if the client has its answer already: no reply is sent."""


_reply_to = contextvars.ContextVar[str]("reply_to", default="")


def reply_to() -> str:
    """Return the :class:`ReplyAddress` of the request that this thread dispatches, as a text.

    Empty if only this server can reply.
    """
    return _reply_to.get()


class LongAnswer(futures.Future[T]):
    """Future of an answer that can send its client heartbeats meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._on_still_working: Callable[[], object] | None = None

    def still_working(self) -> None:
        """Send a heartbeat: a client that monitors its call waits on."""
        if self._on_still_working is not None and not self.done():
            self._on_still_working()

    def call_when_still_working(self, callback: Callable[[], object]) -> None:
        """Call ``callback``, which must not block, for each heartbeat."""
        self._on_still_working = callback


class PromptStop:
    """Mixin for a server of oslo.messaging that stops at once, and that answers a call whatever its method raises.

    The idle threads of oslo.messaging's own pool check only once a second whether the server has stopped.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._executor_cls = futures.ThreadPoolExecutor
        self.dispatcher: Any = SureDispatcher(self.dispatcher)


class PromptServer(PromptStop, rpc_server.RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """An RPC server with a pool of threads that stops at once."""

    def _process_incoming(self, incoming: Any) -> None:
        """Called by the base class on a thread of the pool, once per message."""
        super()._process_incoming([SureIncoming(incoming[0])])


class DirectRPCServer(PromptStop, rpc_server.RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """An RPC server that replies when the endpoint's future is done, and logs a refused request in one line."""

    #: None: casts are not counted
    custody: Custody | None = None

    def _create_listener(self) -> Any:
        """Called by the base class at the start."""
        listener = super()._create_listener()
        if self.custody is not None:
            self.custody.watch(listener)
        return listener

    @ordered(after="start")  # type: ignore[untyped-decorator]  # oslo.messaging has no types
    def stop(self) -> None:
        """Stop reading; return unread messages to the broker at once, for other managers."""
        if self.listener is not None:
            self.listener.stop()
            unread_messages.give_back(self.listener)

    def _on_incoming(self, incoming: Any) -> None:
        """Called by the base class on the thread that reads, once per message."""
        try:
            self._process_incoming(incoming)
        finally:
            if self.custody is not None:
                self.custody.end(incoming[0])

    def _process_incoming(self, incoming: Any) -> None:
        message = incoming[0]
        _reply_to.set(_reply_address(message))
        # Only a message that came over RabbitMQ has one.
        request_ids.begin(getattr(message, "unique_id", None))
        try:
            message.acknowledge()
            result = self.dispatcher.dispatch(message)
        except Exception as raised:
            result = futures.Future()
            result.set_exception(_expected(raised))
        finally:
            request_ids.begin(None)
        if isinstance(result, LongAnswer):
            result.call_when_still_working(lambda: self._send_later(message, _heartbeat, message))
        if isinstance(result, futures.Future):
            result.add_done_callback(lambda done: self._reply_later(message, done))
        else:
            done: futures.Future[Any] = futures.Future()
            done.set_result(result)
            self._reply_later(message, done)

    def _reply_later(self, message: Any, done: futures.Future[Any]) -> None:
        if isinstance(done.exception(), AlreadyAnswered):
            return
        self._send_later(message, _reply, message, done)

    def _send_later(self, message: Any, send: Callable[..., None], *arguments: Any) -> None:
        if getattr(message, "replies_at_once", False):
            send(*arguments)
            return
        # The reply waits for the broker's confirmation. This thread reads messages, or
        # belongs to another part of the manager, so the pool of the server waits.
        try:
            self._work_executor.submit(send, *arguments)
        except RuntimeError:
            LOG.warning("A reply is dropped: the server had stopped before the answer came.")


class CastServer(DirectRPCServer):
    """A server for methods that are only cast: it replies to nothing but oslo.messaging's pings."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._log = LimitedLog(LOG)

    def _process_incoming(self, incoming: Any) -> None:
        message = incoming[0]
        problem: Exception | None = None
        pong: object = None
        try:
            message.acknowledge()
            pong = self.dispatcher.dispatch(message)
        except Exception as error:
            problem = error
        if problem is not None:
            name, text = type(problem).__name__, failure.text_of(problem)
            self._log.warn_about(name, "A message from another cell is refused: %s: %s", name, text)
            if self.custody is not None:
                self.custody.refuse(message, exceptions.MalformedMessage(f"{name}: {text}"))
        elif message.message.get("method") == global_options.PING:
            done: futures.Future[Any] = futures.Future()
            done.set_result(pong)
            self._reply_later(message, done)


def _reply_address(message: Any) -> str:
    # Only a message that came over RabbitMQ has a queue for its reply.
    queue = getattr(message, "reply_q", None)
    # A client that monitors its call needs the heartbeats of this server.
    if not queue or message.client_timeout or not DIRECT_REPLIES.is_active:
        return ""
    return str(ReplyAddress(message.msg_id, queue))


def _heartbeat(message: Any) -> None:
    try:
        message.heartbeat()
    except Exception as problem:  # the client has stopped, or the broker is down
        LOG.debug("A heartbeat for a call could not be sent: %s: %s", type(problem).__name__, problem)


def _reply(message: Any, done: futures.Future[Any]) -> None:
    raised = done.exception()
    error = None if raised is None else sendable(raised)
    if error is not None and not isinstance(error, exceptions.CellsError):
        LOG.warning("A request failed: %s: %s", failure.name_of(error), failure.text_of(error))
        LOG.debug("Traceback of the failed request:", exc_info=raised)
    try:
        if error is None:
            message.reply(done.result())
        else:
            # Without tracebacks, neither its own nor those of its causes: oslo.messaging adds them to
            # the text that the client shows, and the client cannot use the source lines of this daemon.
            error.__cause__ = error.__context__ = None
            message.reply(failure=(type(error), error, None))
    except Exception as problem:  # the client has stopped, or the broker is down
        LOG.warning("A reply could not be sent: %s: %s", type(problem).__name__, problem)


def _expected(error: Exception) -> BaseException:
    """Return the error of the endpoint, without oslo.messaging's wrapper for expected errors."""
    if isinstance(error, rpc_dispatcher.ExpectedException):
        return error.exc_info[1]  # type: ignore[no-any-return]
    return error


def get_server(
    transport: Any,
    target: oslo_messaging.Target,
    endpoints: Sequence[object],
    server_class: type[DirectRPCServer] = DirectRPCServer,
    custody: Custody | None = None,
) -> Any:
    """Return an RPC server, not started, for endpoint objects whose methods never block.

    :param custody: counts the casts that the server has read and not dispatched yet
    """
    redeclare.apply_to(transport)
    server = oslo_messaging.get_rpc_server(
        transport, target, list(endpoints), server_cls=server_class, access_policy=rpc_dispatcher.DefaultRPCAccessPolicy
    )
    server.custody = custody
    global_options.answer_pings(server)
    return server
