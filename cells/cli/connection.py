"""The connection of a command to the manager of its cell, over that cell's own broker."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from cells import exceptions
from cells.cli import broker
from cells.transport import url as transport_url

if TYPE_CHECKING:
    from cells.rpc import RPCClient
    from cells.rpcapi import CellsAPI


@contextlib.contextmanager
def to_manager(conf: cfg.ConfigOpts) -> Iterator[CellsAPI]:
    """A client of the manager, whose connections are closed after the block.  Raises as :func:`to_service`."""
    from cells import rpcapi  # noqa: PLC0415  # as below

    with _open(conf) as transport:
        yield rpcapi.CellsAPI(
            transport,
            conf.cells.topic,
            conf.upgrade_levels.cells,
            timeout=float(conf.cells.call_timeout),
            exception_modules=tuple(conf.cells.allowed_rpc_exception_modules),
            exchange=conf.cells.exchange,
        )


@contextlib.contextmanager
def to_service(conf: cfg.ConfigOpts, **target: str | None) -> Iterator[RPCClient]:
    """A client of a service, which reaches other cells through the manager; closed after the block.

    :param target: of oslo.messaging
    :raises cells.exceptions.ConfigurationError: ``transport_url`` cannot be used
    :raises cells.exceptions.ManagerTimeout: the broker or the manager does not answer
    """
    import oslo_messaging  # noqa: PLC0415  # as below

    from cells import rpc  # noqa: PLC0415

    with _open(conf) as transport:
        yield rpc.get_rpc_client(
            # Somebody at a terminal wants to read what is wrong, not to wait until it is better.
            transport,
            oslo_messaging.Target(**target),
            timeout=float(conf.cells.call_timeout),
            retry=0,
        )


@contextlib.contextmanager
def _open(conf: cfg.ConfigOpts) -> Iterator[Any]:
    """A transport to the broker of this cell.

    :raises cells.exceptions.ConfigurationError: ``transport_url`` cannot be used
    :raises cells.exceptions.ManagerTimeout: the broker or the manager does not answer
    """
    # These take longer to load than all else that a command does.
    import oslo_messaging  # noqa: PLC0415
    from kombu import exceptions as kombu_errors  # noqa: PLC0415

    from cells.transport.opening import open_transport, register_options  # noqa: PLC0415

    register_options(conf)
    modules = tuple(conf.cells.allowed_rpc_exception_modules)
    transport = open_transport(conf, _impatient(conf.transport_url), exception_modules=modules)
    try:
        broker.check(conf.transport_url, conf.cells.topic, is_encrypted=_is_encrypted(conf))
        yield transport
    except exceptions.CellsError:
        raise
    except (oslo_messaging.MessageDeliveryFailure, kombu_errors.OperationalError) as error:
        if transport_url.is_brokerless(conf.transport_url):
            # Nothing is between a command and its manager.
            raise exceptions.ManagerTimeout(
                f"No manager of this cell is there: {str(error).rstrip('.')}. Start cells-manager, or name the "
                "configuration file that it was started with."
            ) from error
        raise exceptions.ManagerTimeout(
            f"The broker of this cell, {transport_url.mask(conf.transport_url)}, cannot be reached: {error}"
        ) from error
    finally:
        transport.cleanup()


def _impatient(url: str) -> str | None:
    """``url`` for somebody at a terminal; None: as it is.

    A service waits for a manager that is being started; an operator wants to read that there is none.
    """
    if not transport_url.is_brokerless(url) or "delivery_timeout=" in url:
        return None
    return f"{url}{'&' if '?' in url else '?'}delivery_timeout={broker.TIMEOUT_SECONDS}"


def _is_encrypted(conf: cfg.ConfigOpts) -> bool:
    query = urllib.parse.parse_qs(conf.transport_url.partition("?")[2])
    configured = "oslo_messaging_rabbit" in conf and bool(conf.oslo_messaging_rabbit.ssl)
    return query["ssl"][-1].lower() in ("true", "1", "yes", "on") if "ssl" in query else configured
