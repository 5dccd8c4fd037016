"""Connection: where a service takes messages: calls and casts, fan-outs, and events for pools of workers.

:func:`cells.rpc.create_connection` makes them.
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
from cells.rpc.service_message import check_name

if TYPE_CHECKING:
    from typing_extensions import Self

LOG = logging.getLogger(__name__)

#: How long methods that still run are waited for.
STOP_SECONDS = 10.0


class Connection:
    """Consumers of one cell, started and closed together.  Thread-safe.

    They are servers of oslo.messaging with threads of their own, ``[DEFAULT] executor_thread_pool_size`` each, so
    a proxy is called from several threads at a time.  Its public methods are called as
    ``method(context, **args)``, with a :class:`cells.rpc.CommonRpcContext`; those that begin with ``_`` are not.
    """

    def __init__(self, transport: Any, on_closed: Callable[[Connection], object] | None = None) -> None:
        """:param transport: an RPC transport of oslo.messaging, which stays open when this is closed
        :param on_closed: called when nothing here runs any more
        """
        self._transport = transport
        self._on_closed = on_closed
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_consuming = False
        #: those that nobody has begun to start
        self._new: list[Any] = []
        self._started: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_consumer(self, topic: str, proxy: object, fanout: bool = False) -> None:
        """Have ``proxy`` called for the messages of a topic; what a method returns is the answer of a call.

        :param fanout: False: all consumers of the topic, here and in other processes, share its messages, each of
            which comes to one of them.  True: it gets a copy of each fan-out, and nothing else
        :raises cells.exceptions.InvalidArguments: the topic is no name
        :raises cells.rpc.InvalidRPCConnectionReuse: this is closed
        """
        check_name("A topic", topic)
        self._add(lambda: consumers.consumer(self._transport, topic, proxy, is_fanout=fanout))

    def create_worker(self, topic: str, proxy: object, pool_name: str) -> None:
        """Join a pool: each event of the topic comes to one of its workers, which calls ``proxy``.

        What the method returns goes nowhere; what it raises is logged, and the event is lost to this pool.

        :param pool_name: of this topic; a pool of the same name for another topic is another pool
        :raises cells.exceptions.InvalidArguments: one of the two is no name
        :raises cells.rpc.InvalidRPCConnectionReuse: this is closed
        """
        exchange, topic, pool_name = self._pool(None, topic, pool_name)
        self._add(lambda: pools.worker(self._transport, exchange, topic, pool_name, proxy))

    def join_consumer_pool(
        self,
        callback: Callable[[dict[str, Any]], object],
        pool_name: str,
        topic: str,
        exchange_name: str | None = None,
    ) -> None:
        """Join a pool, as :meth:`create_worker`, with a function that takes the message itself.

        :param callback: called with ``{"method": ..., "args": {...}}``; :func:`cells.rpc.current_context` says who
            has published it
        :param exchange_name: of those who publish, by default ``[DEFAULT] control_exchange``
        """
        if not callable(callback):
            raise exceptions.InvalidArguments(f"The callback of a pool must be a function, not {callback!r:.80}.")
        exchange, topic, pool_name = self._pool(exchange_name, topic, pool_name)
        self._add(lambda: pools.member(self._transport, exchange, topic, pool_name, callback))

    def consume_in_thread(self) -> None:
        """Start all that was created; what is created later starts by itself.  May be called twice.

        Returns when the broker has them: a message that is sent from now on arrives.  Waits for as long as the
        broker is down, as servers of oslo.messaging do.

        :raises cells.rpc.InvalidRPCConnectionReuse: this is closed
        """
        with self._lock:
            self._check_open()
            self._is_consuming = True
        self._start_new()

    def close(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Take no more messages, wait for the methods that still run, and close.  May be called twice.

        :param timeout_seconds: what runs for longer is left alone: a call of it gets no answer
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
            check_name("An exchange", self._transport.conf.control_exchange if exchange is None else exchange),
            check_name("A topic", topic),
            check_name("The name of a pool", pool_name),
        )

    def _add(self, make: Callable[[], Any]) -> None:
        with self._lock:
            self._check_open()
            self._new.append(make())
            is_consuming = self._is_consuming
        if is_consuming:
            self._start_new()

    def _start_new(self) -> None:
        # Without the lock: a broker that does not answer must not keep close() waiting.
        while True:
            with self._lock:
                if not self._new:
                    return
                server = self._new.pop(0)
                self._started.append(server)
            server.start()

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidRPCConnectionReuse("This connection is closed: create another one.")


def _stop(servers: list[Any], timeout_seconds: float) -> None:
    """Stop all of them at once: a server waits for its methods, and its own wait has no bound."""

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
            "%d of %d consumers have not ended within %.3g seconds: a method still runs, or the broker is away.",
            late,
            len(servers),
            timeout_seconds,
        )
