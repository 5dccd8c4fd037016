"""Contract suite of a transport on RabbitMQ, the reference for zmq."""

from __future__ import annotations

from collections.abc import Iterator

import kombu.exceptions
import oslo_messaging
import pytest
from oslo_messaging._drivers import amqpdriver, impl_rabbit  # noqa: F401  # reads a bound of amqpdriver at import

from tests.contract.notifications import PoolContract
from tests.contract.rpc_failures import CallMonitorContract
from tests.contract.transport import TransportContract
from tests.contract.transport_bus import Place, TransportBus, opened
from tests.integration.rabbitmq import VirtualHostPool
from tools.free_ports import free_ports

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def bus(rabbitmq: VirtualHostPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportBus]:
    # An idle listener sleeps up to five seconds, and stops when it wakes up.
    monkeypatch.setattr(amqpdriver, "ACK_REQUEUE_EVERY_SECONDS_MAX", 0.1)
    (port,) = free_ports(1)
    url = rabbitmq.take()
    yield from opened(
        Place(
            server=lambda _conf: url,
            client_url=url,
            unreachable_url=f"rabbit://guest:guest@127.0.0.1:{port}/",
            # The broker keeps or drops the request silently, so the missing answer is not known before the timeout.
            no_answer=oslo_messaging.MessagingTimeout,
            unreachable=(oslo_messaging.MessageDeliveryFailure, kombu.exceptions.OperationalError),
            # oslo.messaging has no specific error for a pool that no longer exists.
            closed=AttributeError,
        ),
        monkeypatch,
    )


class TestRabbitMQ(TransportContract, PoolContract, CallMonitorContract):
    """RabbitMQ with one virtual host per test."""
