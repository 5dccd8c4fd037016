"""Check of this cell's own broker before a command uses it: the login works, and a manager consumes there.

oslo.messaging retries the connection for the reply queue of a call forever, whatever the timeout of
the call, even if the password is wrong; and a call to a queue without a consumer waits for its whole timeout.
That suits a service.  An operator needs an error at once.
"""

from __future__ import annotations

import time
from typing import Any

from cells import exceptions
from cells.transport import rabbitmq

TIMEOUT_SECONDS = rabbitmq.TIMEOUT_SECONDS
#: Within the timeout the check looks for a manager repeatedly: the manager may start or reconnect.
_POLL_SECONDS = 0.2


def check(transport: Any, url: str, topic: str) -> None:
    """Log in to one of the hosts of ``transport``, look for a manager, and log out.  Does nothing without RabbitMQ.

    :param url: of the transport, as the operator wrote it
    :param topic: [cells] topic, which is the name of the queue of all managers of the cell
    :raises cells.exceptions.ManagerTimeout: the login fails on every host, or no manager consumes there
    """
    from cells.transport import own_broker  # noqa: PLC0415  # it imports oslo.messaging, which is slow

    try:
        with own_broker.log_in(transport, url, TIMEOUT_SECONDS) as connection:
            if connection is not None:
                _find_manager(connection, topic)
    except rabbitmq.BrokerUnusableError as error:
        raise exceptions.ManagerTimeout(
            f"{error}. Check that the broker runs and that [DEFAULT] transport_url is right.",
            timeout_seconds=float(TIMEOUT_SECONDS),
        ) from None


def _find_manager(connection: Any, topic: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not rabbitmq.count_consumers(connection, topic):
        if time.monotonic() > deadline:
            raise exceptions.ManagerTimeout(
                f"No manager of this cell runs, or it hangs: the queue {topic!r} has no consumer. Start cells-manager "
                "(restart it if its process runs), or give the configuration file of the running manager.",
                timeout_seconds=float(TIMEOUT_SECONDS),
            )
        time.sleep(_POLL_SECONDS)
