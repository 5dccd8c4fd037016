"""How the library reaches the manager of its own cell; the other end is :mod:`cells.manager.service_calls`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.conf import cells as options
from cells.rpc.exceptions import MessageDeliveryFailure, Timeout
from cells.services import answers
from cells.services.answers import Answer
from cells.transport.errors import BROKER_ERRORS
from cells.transport.patches import reachability

LOG = logging.getLogger(__name__)

#: The options of [cells] that a service needs, too.
OPTIONS = ("topic", "exchange", "disabled_patches")
NAMESPACE, VERSION = "services", "1.0"


class ManagerClient:
    """Asks the manager over the service's own transport.  Thread-safe; a constructor does no I/O."""

    def __init__(self, transport: Any) -> None:
        conf = transport.conf
        conf.register_opts([option for option in options.OPTIONS if option.name in OPTIONS], group=options.GROUP)
        target = oslo_messaging.Target(
            topic=conf.cells.topic, exchange=conf.cells.exchange, namespace=NAMESPACE, version=VERSION
        )
        self._client = oslo_messaging.get_rpc_client(transport, target)

    def ask(  # noqa: PLR0913  # what is asked, whom, and for how long
        self,
        ctxt: Mapping[str, Any],
        operation: str,
        arguments: Mapping[str, Any],
        *,
        timeout_seconds: float,
        monitor_seconds: float | None = None,
        retry: int | None = None,
        server: str | None = None,
    ) -> Answer:
        """Call an operation of the manager.

        :param monitor_seconds: give up when for so long nobody said that the answer will still come
        :param server: of several managers, the one that is meant
        :raises cells.rpc.Timeout: the manager did not answer
        :raises cells.rpc.MessageDeliveryFailure: the broker of this cell did not take the question
        """
        try:
            prepared = self._client.prepare(
                timeout=timeout_seconds,
                call_monitor_timeout=monitor_seconds,
                retry=reachability.reach(self._client.transport, timeout_seconds, retry),
                server=server,
            )
            return answers.check(prepared.call(ctxt, operation, **arguments))
        except oslo_messaging.MessagingTimeout as error:
            raise Timeout(
                f"The manager of this cell did not answer {operation} in time ({timeout_seconds:.3g} seconds): is "
                "cells-manager running, and does it have the same [cells] topic and exchange?"
            ) from error
        except (oslo_messaging.MessageDeliveryFailure, *BROKER_ERRORS) as error:
            raise MessageDeliveryFailure(
                f"Neither the manager of this cell nor its broker took a message: {error}"
            ) from error
        except oslo_messaging.RemoteError as error:
            raise exceptions.ConfigurationError(
                f"The manager of this cell cannot answer {operation}: {error.exc_type}: {error.value}. Is it of a "
                "release that knows cells.rpc?"
            ) from error

    def tell(self, ctxt: Mapping[str, Any], operation: str, server: str, arguments: Mapping[str, Any]) -> None:
        """Cast an operation; that it gets lost is no error."""
        try:
            self._client.prepare(server=server, retry=0).cast(ctxt, operation, **arguments)
        except (oslo_messaging.MessagingException, *BROKER_ERRORS) as error:
            LOG.debug("The manager of this cell could not be told %s: %s", operation, error)
