"""A transport that was used before a fork is refused in the child process."""

from __future__ import annotations

import os

import oslo_messaging
import pytest

from cells.transport import fork


class Transport:
    pass


def test_a_transport_belongs_to_the_process_that_first_used_it() -> None:
    """(case H4)"""
    parent, child = os.getpid(), os.getpid() + 1
    used, unused = Transport(), Transport()
    fork.check(used)
    fork.check(used, parent)
    with pytest.raises(oslo_messaging.MessageDeliveryFailure):
        fork.check(used, child)
    fork.check(used)
    fork.check(unused, child)
