"""Connections to RabbitMQ whose reads, writes, pauses and locks obey the time limit of a request.

They run on the thread of the request: a thread of their own for each request would cost two hand-overs.
:mod:`cells.transport.patches.reachability` installs them.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

from kombu.transport import pyamqp
from oslo_messaging._drivers import impl_rabbit
from oslo_messaging._drivers import pool as rpc_pool

from cells.transport import time_limit
from cells.transport.attempts import Attempts
from cells.transport.patches import read_ahead
from cells.transport.patches.read_ahead_connections import ReadAheadConnection, use
from cells.transport.time_limit import SendTimeout

#: A pause between two attempts ends at most so long after the limit.
PAUSE_SHARE = 0.05
SHORTEST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
BLOCKED = (
    "it blocks publishers, because it has a memory or disk alarm: see 'rabbitmq-diagnostics alarms' there. The message "
    "may arrive when the alarm ends."
)


def install(driver: Any) -> None:
    """Replace the connection pool and the locks of a driver, once; connections that are open stay in the old pool."""
    pool = driver._connection_pool
    if pool is None or isinstance(pool, LimitedPool):
        return
    driver._reply_q_lock = _Lock(driver._reply_q_lock)
    connection_class = ReadAheadLimitedConnection if read_ahead.is_used(driver.conf) else LimitedConnection
    driver._connection_pool = LimitedPool(
        pool.conf, pool._max_size, pool._min_size, pool._item_ttl, pool.url, connection_class
    )
    driver._get_reply_q = _with_limited_wait(driver)


def _with_limited_wait(driver: Any) -> Callable[[], str]:
    """Return the driver's function that opens the reply queue; from then on the time to send counts for the answer."""
    original = driver._get_reply_q

    def get_reply_q() -> str:
        queue: str = original()
        waiter = driver._waiter
        if waiter is not None and "wait" not in vars(waiter):
            wait = waiter.wait
            waiter.wait = lambda msg_id, timeout, *rest: wait(msg_id, _answer_timeout(timeout), *rest)
        return queue

    return get_reply_q


def _answer_timeout(timeout: float | None) -> float | None:
    seconds = time_limit.seconds_to_answer()
    if seconds == math.inf:
        return timeout
    return seconds if timeout is None else min(timeout, seconds)


def _reason(error: Exception) -> str:
    # Its text is "timed out", or the text of a limit, which the caller knows.
    return (
        "it does not answer."
        if isinstance(error, TimeoutError)
        else f"{type(error).__name__}: {error}".rstrip(".") + "."
    )


class LimitedPool(rpc_pool.ConnectionPool):  # type: ignore[misc]  # oslo.messaging has no types
    """A pool that a thread leaves at its limit if all connections are in use."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cond = _Condition()


class _Condition(threading.Condition):
    def wait(self, timeout: float | None = None) -> bool:
        """Called by the pool when all connections are in use."""
        if timeout is None and time_limit.is_set():
            timeout = time_limit.seconds_to_send()
            if not super().wait(timeout):
                raise SendTimeout("all connections of the pool (rpc_conn_pool_size) wait for it.")
            return True
        return super().wait(timeout)


class _Lock:
    """A lock that a thread gives up at its limit."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        seconds = time_limit.seconds_to_send()
        if not self._lock.acquire(timeout=-1 if seconds == math.inf else seconds):
            raise SendTimeout("another thread waits for it.")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _ConnectionLock(impl_rabbit.ConnectionLock):  # type: ignore[misc]  # oslo.messaging has no types
    """The lock between a request and the thread that sends heartbeats, which also reconnects."""

    _lock_acquired: Any

    def acquire(self) -> None:
        if not time_limit.is_set():
            super().acquire()
            return
        with self._monitor:
            while self._lock_acquired:
                seconds = time_limit.seconds_to_send()
                if not seconds:
                    raise SendTimeout("it does not answer, and its connection is being opened again.")
                self._workers_waiting += 1
                try:
                    self._workers_locks.wait(seconds)
                finally:
                    self._workers_waiting -= 1
            self._lock_acquired = self._get_thread_id()


class _Limited:
    """Mix-in before a connection of py-amqp.

    Every wait for the broker is a read: of the login, a confirmation, or the answer to a declaration.
    """

    def __init__(self, *arguments: Any, connect_timeout: float | None = None, **options: Any) -> None:
        options["connect_timeout"] = time_limit.shorter(connect_timeout)
        super().__init__(*arguments, **options)

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read one frame.

        Heartbeats of a broker that blocks publishers are frames too, so a timeout for each frame would never pass.
        """
        return super().blocking_read(time_limit.shorter(timeout))  # type: ignore[misc]  # of the connection


class _AMQPConnection(_Limited, pyamqp.Connection):
    pass


class _ReadAheadAMQPConnection(ReadAheadConnection, _AMQPConnection):
    """The limit counts for the reads that wait, not for a frame that has been read ahead."""


class _Transport(pyamqp.Transport):
    Connection = _AMQPConnection


class _ReadAheadTransport(pyamqp.Transport):
    Connection = _ReadAheadAMQPConnection


class _Pause:
    """An attribute of a connection about its pauses between two attempts: under a limit they are short."""

    def __init__(self, limited: Callable[[float], float]) -> None:
        """:param limited: returns the value under a limit of so many seconds"""
        self._limited = limited

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_unlimited_{name}"

    def __get__(self, connection: Any, owner: type | None = None) -> float:
        seconds = time_limit.whole_seconds()
        if seconds < math.inf:
            return self._limited(seconds)
        value: float = getattr(connection, self._name)
        return value

    def __set__(self, connection: Any, value: float) -> None:
        """Called by the constructor of the connection, with the value of the option."""
        setattr(connection, self._name, value)


class LimitedConnection(impl_rabbit.Connection):  # type: ignore[misc]  # oslo.messaging has no types
    """A connection of oslo.messaging that gives up at the limit of the thread that uses it."""

    #: kombu's driver for RabbitMQ
    kombu_transport: type[pyamqp.Transport] = _Transport
    _is_blocked = False

    interval_start = _Pause(lambda _: SHORTEST_PAUSE_SECONDS)
    interval_stepping = interval_max = _Pause(
        lambda seconds: min(max(PAUSE_SHARE * seconds, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
    )
    kombu_reconnect_delay = _Pause(lambda _: 0.0)

    @property
    def _connection_lock(self) -> Any:
        return self._lock

    @_connection_lock.setter
    def _connection_lock(self, lock: Any) -> None:
        """Set by the constructor, which starts the thread for heartbeats."""
        self._lock = _ConnectionLock() if isinstance(lock, impl_rabbit.ConnectionLock) else lock

    def _on_connection_blocked(self, reason: str) -> None:
        self._is_blocked = True
        super()._on_connection_blocked(reason)

    def _on_connection_unblocked(self) -> None:
        self._is_blocked = False
        super()._on_connection_unblocked()

    def ensure_connection(self) -> None:
        use(self.connection, self.kombu_transport)
        if not time_limit.is_set():
            super().ensure_connection()
            return
        self._set_current_channel(None)
        self.connection.ensure_connection(
            errback=lambda error, _interval: self._check_limit(error),
            max_retries=self.max_retries,
            interval_start=self.interval_start,
            interval_step=self.interval_stepping,
            interval_max=self.interval_max,
        )
        try:
            self._set_current_channel(self.connection.channel())
            self.set_transport_socket_timeout()
        except OSError as error:
            self._check_limit(error)
            raise

    def ensure(
        self,
        method: Any,
        retry: int | None = None,
        recoverable_error_callback: Any = None,
        error_callback: Any = None,
        **options: Any,
    ) -> Any:
        if not time_limit.is_set():
            return super().ensure(method, retry, recoverable_error_callback, error_callback, **options)

        def check(error: Exception) -> None:
            if recoverable_error_callback is not None:
                recoverable_error_callback(error)
            self._check_limit(error)

        def fail(error: Exception) -> None:
            if error_callback is not None:
                error_callback(error)
            self._check_limit(error)

        return super().ensure(method, retry, check, fail, **options)

    def _check_limit(self, error: Exception) -> None:
        """Called after each failed attempt.

        :raises SendTimeout: there is no time for a further one
        """
        if time_limit.seconds_to_send() > self.interval_max:
            return
        reason = BLOCKED if self._is_blocked else _reason(error)
        # Without a farewell, which would wait for the broker. The next request opens it again.
        self.connection.collect()
        self._set_current_channel(None)
        self._is_blocked = False
        raise SendTimeout(reason) from error

    def _publish(
        self,
        exchange: Any,
        message: Any,
        routing_key: str | None = None,
        timeout: float | None = None,
        transport_options: Any = None,
    ) -> None:
        """Called for each message, and again for it after a reconnection: with the time that is left by then."""
        if timeout is not None:
            # RabbitMQ drops a message that waits longer.  Some may wait longer than their sender does, as casts do.
            timeout = max(0.0, timeout - time_limit.elapsed_seconds())
        attempts = Attempts.current()
        if attempts is not None:
            message = attempts.renewed(message)
        super()._publish(exchange, message, routing_key, timeout, transport_options)

    @contextlib.contextmanager
    def _transport_socket_timeout(self, timeout: float | None) -> Iterator[None]:
        """Limit the writes of a publish, too: a broker that does not read fills the buffers of a large message."""
        self.set_transport_socket_timeout(time_limit.shorter(timeout))
        try:
            yield
        finally:
            self.set_transport_socket_timeout()

    def reset(self) -> None:
        """Called when a connection returns to the pool: without consumers there is nothing to reset, or to wait for."""
        if self._consumers:
            super().reset()


class ReadAheadLimitedConnection(LimitedConnection):
    """The same, which also reads ahead."""

    kombu_transport = _ReadAheadTransport
