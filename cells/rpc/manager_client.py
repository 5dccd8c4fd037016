"""ManagerClient: the library's client of the manager of its own cell, :mod:`cells.manager.service_calls`."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

import oslo_messaging

from cells import exceptions
from cells.conf import cells as options
from cells.rpc.context import context_values
from cells.rpc.exceptions import MessageDeliveryFailure, Timeout
from cells.services import answers
from cells.services.answers import Answer
from cells.services.validation import want_json_object
from cells.transport import attempts, global_options
from cells.transport.errors import BROKER_ERRORS, may_arrive
from cells.transport.patches import reachability

LOG = logging.getLogger(__name__)

#: The options of [cells] that a service needs as well.
OPTIONS = ("topic", "exchange", "disabled_patches")
NAMESPACE, VERSION = "services", "1.0"
#: Limit of a cast that may get lost.
TELL_SECONDS = 1.0


class ManagerClient:
    """Client of the manager, over the transport of the service.  Thread-safe; the constructor does no I/O."""

    def __init__(self, transport: Any) -> None:
        global_options.share_lock_path(transport)
        conf = transport.conf
        conf.register_opts([option for option in options.OPTIONS if option.name in OPTIONS], group=options.GROUP)
        self._transport = transport
        #: limits the time of requests over the same transport
        self.within = reachability.RequestLimits(transport).within

    @functools.cached_property
    def _client(self) -> Any:
        # Made at the first call of another cell: a service that makes none gets each warning of oslo.messaging about
        # its transport once.
        own = self._transport.conf.cells
        target = oslo_messaging.Target(topic=own.topic, exchange=own.exchange, namespace=NAMESPACE, version=VERSION)
        return oslo_messaging.get_rpc_client(self._transport, target)

    def ask(  # noqa: PLR0913  # options by keyword
        self,
        ctxt: Any,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        timeout_seconds: float,
        monitor_seconds: float | None = None,
        retry: int | None = None,
        server: str | None = None,
    ) -> Answer:
        """Call an operation of the manager.

        :param ctxt: a dict, or an object with ``to_dict()``, as for oslo.messaging
        :param monitor_seconds: give up after so many seconds without a heartbeat of the manager
        :param server: the addressed manager, if the cell has several
        :raises cells.exceptions.InvalidArguments: the context cannot be written as JSON
        :raises cells.rpc.Timeout: the manager did not answer
        :raises cells.rpc.MessageDeliveryFailure: the broker of this cell did not take the request, or did not confirm
            it in time
        :raises cells.exceptions.ConfigurationError: the manager does not have the operation
        """
        try:
            prepared = self._client.prepare(
                timeout=timeout_seconds,
                call_monitor_timeout=monitor_seconds,
                retry=retry,
                server=server,
            )
            with self.within(timeout_seconds):
                values = want_json_object(context_values(ctxt), "The request context")
                with attempts.of_request(arguments):
                    return answers.check(prepared.call(values, operation, **arguments))
        except oslo_messaging.MessagingTimeout as error:
            raise Timeout(
                f"The manager of this cell did not answer {operation} within {timeout_seconds:.3g} seconds: is "
                "cells-manager running, does it have the same [cells] topic and exchange, and are its links connected "
                '("cells neighbor status")?'
            ) from error
        except (oslo_messaging.MessageDeliveryFailure, *BROKER_ERRORS) as error:
            text = f"The broker of this cell did not take a message for the manager: {error}"
            uncertain = {"may_arrive": True} if may_arrive(error) else {}
            raise MessageDeliveryFailure(text, **uncertain) from error
        except oslo_messaging.RemoteError as error:
            raise exceptions.ConfigurationError(
                f"The manager of this cell cannot answer {operation}: {error.exc_type}: {error.value}. Is its "
                "release too old for cells.rpc?"
            ) from error

    def tell(self, ctxt: Mapping[str, Any], operation: str, server: str, arguments: Mapping[str, Any]) -> None:
        """Cast an operation, best effort: a lost cast is not an error."""
        try:
            with self.within(TELL_SECONDS):
                self._client.prepare(server=server, retry=0).cast(ctxt, operation, **arguments)
        except (oslo_messaging.MessagingException, *BROKER_ERRORS) as error:
            LOG.debug("The cast %s to the manager of this cell is lost: %s", operation, error)
