"""The connection of a command to the manager of its cell, over that cell's own broker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from cells import exceptions
from cells.cli import broker
from cells.transport import url as transport_url

if TYPE_CHECKING:
    from cells.rpc import RPCClient
    from cells.rpcapi import CellsAPI

#: Limit of the time in which a command takes leave of the broker.
CLOSE_SECONDS = 0.5


@contextlib.contextmanager
def to_manager(conf: cfg.ConfigOpts, timeout_seconds: float | None = None) -> Iterator[CellsAPI]:
    """Open a client of the manager for the block.  Raises the errors of :func:`to_service`.

    :param timeout_seconds: of each request; default: [cells] call_timeout
    """
    from cells import rpcapi  # noqa: PLC0415  # it imports oslo.messaging, which is slow

    with _open(conf) as transport:
        yield rpcapi.CellsAPI(
            transport,
            conf.cells.topic,
            conf.upgrade_levels.cells,
            timeout=float(conf.cells.call_timeout) if timeout_seconds is None else timeout_seconds,
            exception_modules=tuple(conf.cells.allowed_rpc_exception_modules),
            exchange=conf.cells.exchange,
            send_timeout=broker.TIMEOUT_SECONDS,
            manager_timeout=broker.TIMEOUT_SECONDS,
        )


@contextlib.contextmanager
def to_service(conf: cfg.ConfigOpts, **target: str | None) -> Iterator[RPCClient]:
    """Open a client of a service for the block; it reaches other cells through the manager.

    :param target: keywords of an oslo.messaging Target
    :raises cells.exceptions.ConfigurationError: ``transport_url`` is wrong
    :raises cells.exceptions.ManagerTimeout: the broker or the manager does not answer
    """
    import oslo_messaging  # noqa: PLC0415  # it is slow to import

    from cells import rpc  # noqa: PLC0415

    with _open(conf) as transport:
        yield rpc.get_rpc_client(
            transport,
            oslo_messaging.Target(**target),
            timeout=float(conf.cells.call_timeout),
            # An operator at a terminal needs the error at once, not a retry.
            retry=0,
        )


@contextlib.contextmanager
def _open(conf: cfg.ConfigOpts) -> Iterator[Any]:
    """Open a transport to the broker of this cell.  Raises the errors of :func:`to_service`."""
    # These imports take longer than everything else in a command.
    import oslo_messaging  # noqa: PLC0415
    from kombu import exceptions as kombu_errors  # noqa: PLC0415

    from cells import preflight  # noqa: PLC0415
    from cells.transport import queue_names  # noqa: PLC0415
    from cells.transport.opening import open_transport, register_options  # noqa: PLC0415

    preflight.check(conf, is_manager=False)
    register_options(conf)
    queue_names.name_command(conf)
    modules = tuple(conf.cells.allowed_rpc_exception_modules)
    transport = open_transport(conf, _with_short_timeout(conf.transport_url), exception_modules=modules)
    try:
        broker.check(transport, conf.transport_url, conf.cells.topic)
        yield transport
    except exceptions.CellsError:
        raise
    except (oslo_messaging.MessageDeliveryFailure, kombu_errors.OperationalError) as error:
        problem = f"The broker of this cell, {transport_url.mask(conf.transport_url)}, cannot be reached: {error}"
        if transport_url.is_brokerless(conf.transport_url):
            # The command connects to the manager directly, so the manager does not run.
            problem = (
                f"No manager of this cell runs: {str(error).rstrip('.')}. Start cells-manager, or give the "
                "configuration file of the running manager."
            )
            away = error.__cause__
            if isinstance(away, exceptions.RegistryUnavailable):
                problem = f"The manager of this cell cannot be found: {away.message}"
        raise exceptions.ManagerTimeout(problem) from error
    finally:
        _close(transport)


def _close(transport: Any) -> None:
    """Close the connections; a broker that does not answer must not hold up the end of the command."""
    closing = threading.Thread(target=transport.cleanup, name="cells-close", daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


def _with_short_timeout(url: str) -> str | None:
    """Return a brokerless ``url`` with a short delivery timeout; None: use ``url`` unchanged.

    A service waits for a manager that starts; an operator needs to read that no manager runs.
    """
    if not transport_url.is_brokerless(url) or "delivery_timeout=" in url:
        return None
    return f"{url}{'&' if '?' in url else '?'}delivery_timeout={broker.TIMEOUT_SECONDS}"
