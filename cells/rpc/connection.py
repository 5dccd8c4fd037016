"""Connection: the consumers of a service, for calls and casts, fan-outs, and events for pools of workers.

:func:`cells.rpc.create_connection` returns it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cells import exceptions
from cells.rpc import consumers, pools
from cells.rpc.exceptions import InvalidRPCConnectionReuse
from cells.services.validation import want_name
from cells.transport.patches import redeclare

if TYPE_CHECKING:
    from typing_extensions import Self

LOG = logging.getLogger(__name__)

#: Timeout of running methods when a connection is closed.
STOP_SECONDS = 10.0


class Connection:
    """Consumers of one cell, started and closed together.  Thread-safe.

    Each consumer is a server of oslo.messaging with ``[DEFAULT] executor_thread_pool_size`` threads, so several
    threads call a proxy at a time.  They call its public methods as ``method(context, **args)``, with a
    :class:`cells.rpc.CommonRpcContext`; methods whose name begins with ``_`` cannot be called.
    """

    def __init__(self, transport: Any, on_closed: Callable[[Connection], object] | None = None) -> None:
        """:param transport: an RPC transport of oslo.messaging; stays open when the connection is closed
        :param on_closed: called when all consumers have stopped
        """
        redeclare.apply_to(transport)
        self._transport = transport
        self._on_closed = on_closed
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_consuming = False
        #: servers whose start has not begun
        self._new: list[Any] = []
        self._started: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_consumer(self, topic: str, proxy: object, fanout: bool = False) -> None:
        """Call ``proxy`` for the messages of a topic; the value of a method is the answer to a call.

        :param fanout: False: all consumers of the topic, here and in other processes, share its messages; each message
            goes to one of them.  True: the consumer gets a copy of each fan-out and no other messages
        :raises cells.exceptions.InvalidArguments: the topic is not a valid name
        :raises cells.rpc.InvalidRPCConnectionReuse: the connection is closed
        """
        want_name(topic, "A topic")
        self._add(lambda: consumers.consumer(self._transport, topic, proxy, is_fanout=fanout))

    def create_worker(self, topic: str, proxy: object, pool_name: str) -> None:
        """Join a pool: each event of the topic goes to one worker of the pool, which calls ``proxy``.

        The value of the method is ignored.  An error of the method is logged, and the event is lost to this pool.

        :param pool_name: of this topic; a pool of the same name for another topic is another pool
        :raises cells.exceptions.InvalidArguments: the topic or the pool does not have a valid name
        :raises cells.rpc.InvalidRPCConnectionReuse: the connection is closed
        """
        exchange, topic, pool_name = self._pool(None, topic, pool_name)
        self._add(lambda: pools.worker(self._transport, exchange, topic, pool_name, proxy))

    def join_consumer_pool(
        self, callback: Callable[[dict[str, Any]], object], pool_name: str, topic: str, exchange_name: str | None = None
    ) -> None:
        """Join a pool, as :meth:`create_worker`, with a function that takes the message itself.

        :param callback: called with ``{"method": ..., "args": {...}}``; :func:`cells.rpc.current_context` returns
            the context of the publisher
        :param exchange_name: of the publishers, by default ``[DEFAULT] control_exchange``
        """
        if not callable(callback):
            raise exceptions.InvalidArguments(f"The callback of a pool must be a function, not {callback!r:.80}.")
        exchange, topic, pool_name = self._pool(exchange_name, topic, pool_name)
        self._add(lambda: pools.member(self._transport, exchange, topic, pool_name, callback))

    def consume_in_thread(self) -> None:
        """Start all consumers; a consumer that is created later starts at once.  May be called twice.

        Returns when the broker knows the consumers: a message that is sent from now on arrives.  Blocks while the
        broker is down, as servers of oslo.messaging do.

        :raises cells.rpc.InvalidRPCConnectionReuse: the connection is closed
        """
        with self._lock:
            self._check_open()
            self._is_consuming = True
        self._start_new()

    def close(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Stop receiving, wait for the running methods, and close.  May be called twice.

        :param timeout_seconds: a method that runs longer is abandoned: its call gets no answer
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._new.clear()
            started, self._started = self._started, []
        _stop(started, timeout_seconds)
        if self._on_closed is not None:
            self._on_closed(self)

    def _pool(self, exchange: str | None, topic: str, pool_name: str) -> tuple[str, str, str]:
        return (
            want_name(self._transport.conf.control_exchange if exchange is None else exchange, "An exchange"),
            want_name(topic, "A topic"),
            want_name(pool_name, "The name of a pool"),
        )

    def _add(self, make: Callable[[], Any]) -> None:
        with self._lock:
            self._check_open()
            self._new.append(make())
            is_consuming = self._is_consuming
        if is_consuming:
            self._start_new()

    def _start_new(self) -> None:
        # Without the lock: close() must not wait for a broker that does not answer.
        while True:
            with self._lock:
                if not self._new:
                    return
                server = self._new.pop(0)
                self._started.append(server)
            server.start()

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidRPCConnectionReuse("This connection is closed: create another connection.")


def _stop(servers: list[Any], timeout_seconds: float) -> None:
    """Stop all servers in parallel: a server waits for its methods, and its wait() has no timeout."""

    def stop(server: Any) -> None:
        server.stop()
        server.wait()

    threads = [threading.Thread(target=stop, args=(server,), name="cells-rpc-stop", daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = sum(thread.is_alive() for thread in threads)
    if late:
        LOG.warning(
            "%d of %d consumers have not stopped within %.3g seconds: a method still runs, or the broker is down.",
            late,
            len(servers),
            timeout_seconds,
        )
