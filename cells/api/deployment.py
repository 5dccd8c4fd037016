"""The composition root of the HTTP API: the only module of it that reads options and names concrete classes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from oslo_config import cfg
from oslo_policy import opts as policy_opts

from cells import exceptions, preflight
from cells.api import tokens
from cells.api.application import Application
from cells.api.authentication import Authenticator, Keystone, NoAuth, StaticTokens, is_loopback
from cells.api.examiner import Examiner
from cells.api.manager_client import Connection, ManagerClient
from cells.api.policies import Policy
from cells.rpcapi import CellsAPI
from cells.transport import queue_names, socket_address
from cells.transport.opening import open_transport, register_options


class Deployment(NamedTuple):
    """The WSGI application, and the function that closes its connections after its last request."""

    application: Any
    close: Callable[[], None]


def build(conf: cfg.ConfigOpts) -> Deployment:
    """Return the HTTP API for ``conf``.  It connects to the broker at its first request.

    :raises cells.exceptions.ConfigurationError: a setting cannot work
    """
    policy_opts.set_defaults(conf)
    preflight.check(conf, is_manager=False)
    register_options(conf)
    queue_names.name_command(conf)
    # A wrong URL is an error at the start; the connection itself waits for the first request.
    open_transport(conf).cleanup()
    settings = conf.cells_api
    manager = ManagerClient(lambda: _connect(conf), conf.cells.name)
    examiner = Examiner(lambda seconds, is_tree: _examine(conf, seconds, is_tree=is_tree))
    application = Application(manager, examiner, _authenticator(conf), Policy(conf), settings.max_body_bytes)
    return Deployment(
        _behind_keystone(application, conf) if settings.auth == "keystone" else application, manager.close
    )


def _connect(conf: cfg.ConfigOpts) -> Connection:
    seconds = conf.cells_api.manager_timeout
    modules = tuple(conf.cells.allowed_rpc_exception_modules)
    transport = open_transport(conf, exception_modules=modules)
    api = CellsAPI(
        transport,
        conf.cells.topic,
        conf.upgrade_levels.cells,
        timeout=float(conf.cells.call_timeout),
        exception_modules=modules,
        exchange=conf.cells.exchange,
        send_timeout=seconds,
        manager_timeout=seconds,
    )
    return Connection(api, transport.cleanup)


def _examine(conf: cfg.ConfigOpts, check_seconds: float, *, is_tree: bool) -> dict[str, Any]:
    from cells import doctor  # noqa: PLC0415  # it imports SQLAlchemy, which is slow, and few clients ask for it

    @contextlib.contextmanager
    def open_manager() -> Iterator[CellsAPI]:
        with contextlib.closing(_connect(conf)) as connection:
            yield connection.api

    return doctor.examine(doctor.Case(conf, check_seconds, open_manager, is_tree=is_tree)).as_dict()


def _authenticator(conf: cfg.ConfigOpts) -> Authenticator:
    settings = conf.cells_api
    if settings.auth == "keystone":
        return Keystone()
    if settings.auth == "tokens":
        return StaticTokens(tokens.read(Path(settings.tokens_file)))
    try:
        addresses = socket_address.resolve(settings.listen)
    except exceptions.ConfigurationError as error:
        raise exceptions.ConfigurationError(f"[cells_api] listen: {error.message}") from None
    if not all(is_loopback(found.address[0]) for found in addresses):
        raise exceptions.ConfigurationError(
            f"[cells_api] auth = noauth with listen = {settings.listen} would let every host change this cell: listen "
            "on 127.0.0.1, or set auth to tokens or keystone."
        )
    return NoAuth()


def _behind_keystone(application: Application, conf: cfg.ConfigOpts) -> Any:
    try:
        from keystonemiddleware import auth_token  # noqa: PLC0415  # slow to import, and an option
    except ImportError as error:
        raise exceptions.ConfigurationError(
            f"[cells_api] auth = keystone needs keystonemiddleware, which cannot be imported: {error}"
        ) from error
    # The application refuses requests without a valid token itself, so that these errors are JSON, too.
    return auth_token.AuthProtocol(application, {"oslo_config_config": conf, "delay_auth_decision": True})
