"""Transports in a process that has forked.

A fork copies neither the threads of a transport nor, safely, its connections: a call of the child process waits for a
reply that a thread of the parent reads.  A transport that was not used before the fork works in the child.
"""

from __future__ import annotations

import os
import weakref

import oslo_messaging

#: transport -> ID of the process that first used it
_users: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()


def check(transport: object, process_id: int | None = None) -> None:
    """Record the use of a transport by this process.

    :param transport: of oslo.messaging, or its driver
    :param process_id: by default that of this process
    :raises oslo_messaging.MessageDeliveryFailure: another process used the transport before it forked this one
    """
    own = os.getpid() if process_id is None else process_id
    first = _users.setdefault(transport, own)
    if first != own:
        raise oslo_messaging.MessageDeliveryFailure(
            f"This transport belongs to the process {first}, which forked this process {own} after it had used the "
            "transport: open a transport, and its clients, after the fork."
        )
