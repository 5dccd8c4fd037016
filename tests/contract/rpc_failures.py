"""Contract of a transport: exceptions, missing servers and slow methods are errors of the caller, in time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest

from tests.contract.transport_bus import CALL_TIMEOUT_SECONDS, Endpoint, TransportBus
from tools.polling import poll

#: extra time for an error on a busy machine
SLACK_SECONDS = 8
TRANSPORT_OPTIONS = oslo_messaging.TransportOptions(at_least_once=True)


class Refused(Exception):
    """A service's own error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Failing:
    """Methods that raise."""

    def refuse(self, ctxt: dict[str, Any], reason: str) -> None:
        raise Refused(reason)

    @oslo_messaging.expected_exceptions(Refused)
    def refuse_as_expected(self, ctxt: dict[str, Any], reason: str) -> None:
        raise Refused(reason)

    def raise_builtin(self, ctxt: dict[str, Any]) -> None:
        raise ValueError("a built-in one", 7)


class Named(Endpoint):
    """Another version of the same methods in a separate namespace."""

    target = oslo_messaging.Target(namespace="named", version="2.1")


class RPCFailureContract:
    """Base class; the name of a subclass starts with Test."""

    @pytest.mark.parametrize("method", ["refuse", "refuse_as_expected"])
    def test_error_of_an_allowed_module_is_rebuilt(self, bus: TransportBus, method: str) -> None:
        bus.server(endpoints=[Failing()])
        client = bus.client_on(bus.transport(exception_modules=[__name__]))
        with pytest.raises(Refused) as caught:
            client.call({}, method, reason="no Größe")
        assert type(caught.value).__name__ == "Refused_Remote"
        assert caught.value.reason == "no Größe"

    @pytest.mark.parametrize("method", ["refuse", "refuse_as_expected"])
    def test_error_of_another_module_is_a_remote_error(self, bus: TransportBus, method: str) -> None:
        bus.server(endpoints=[Failing()])
        with pytest.raises(oslo_messaging.RemoteError) as caught:
            bus.client().call({}, method, reason="no Größe")
        assert caught.value.exc_type == "Refused"
        assert caught.value.value == "no Größe"

    def test_built_in_error_is_rebuilt(self, bus: TransportBus) -> None:
        bus.server(endpoints=[Failing()])
        with pytest.raises(ValueError, match="a built-in one"):  # the text of raise_builtin()
            bus.client().call({}, "raise_builtin")

    def test_server_goes_on_after_an_error(self, bus: TransportBus) -> None:
        bus.server(endpoints=[Failing(), Endpoint()])
        client = bus.client()
        for number in range(10):
            client.cast({}, "refuse", reason="a cast")
            with pytest.raises(oslo_messaging.RemoteError):
                client.call({}, "refuse", reason="a call")
            assert client.call({}, "echo", value=number) == number

    @pytest.mark.parametrize(
        ("options", "method", "error"),
        [
            pytest.param({}, "no_such_method", "NoSuchMethod", id="method"),
            pytest.param({}, "_private", "NoSuchMethod", id="private"),
            pytest.param({"version": "1.5"}, "echo", "UnsupportedVersion", id="newer"),
            pytest.param({"version": "2.0"}, "echo", "UnsupportedVersion", id="other-major"),
            pytest.param({"namespace": "elsewhere"}, "echo", "UnsupportedVersion", id="namespace"),
            pytest.param({"namespace": "named", "version": "2.2"}, "echo", "UnsupportedVersion", id="named-newer"),
        ],
    )
    def test_unknown_method_namespace_or_version_is_a_remote_error(
        self, bus: TransportBus, options: dict[str, str], method: str, error: str
    ) -> None:
        bus.server(endpoints=[Endpoint(), Named()])
        with pytest.raises(oslo_messaging.RemoteError) as caught:
            bus.client().prepare(**options).call({}, method, value=1)
        assert caught.value.exc_type == error

    def test_namespace_and_version_select_the_endpoint(self, bus: TransportBus) -> None:
        bus.server(endpoints=[Endpoint("plain"), Named("named")])
        client = bus.client()
        assert client.prepare(version="1.4").call({}, "server_name") == "plain"
        assert client.prepare(namespace="named", version="2.0").call({}, "server_name") == "named"

    def test_call_times_out(self, bus: TransportBus) -> None:
        bus.server()
        with raises_in_time(oslo_messaging.MessagingTimeout, 0.3):
            bus.client(timeout=0.3).call({}, "hold", value="long")

    def test_late_answer_is_dropped(self, bus: TransportBus) -> None:
        server, client = bus.server(), bus.client()
        for number in range(2):
            with pytest.raises(oslo_messaging.MessagingTimeout):
                client.prepare(timeout=0.2).call({}, "hold", value=f"late {number}")
        server.endpoint.released.set()
        answers = [client.call({}, "echo", value=number) for number in range(20)]
        poll(lambda: len(server.endpoint.finished) == 2, "the late answers are sent")
        answers += [client.call({}, "echo", value=number) for number in range(20, 40)]
        assert answers == list(range(40))

    def test_call_without_a_server_fails_in_time(self, bus: TransportBus) -> None:
        client = bus.client(timeout=1, retry=0)
        with raises_in_time(bus.place.no_answer):
            client.call({}, "echo", value=1)
        bus.server("here")
        assert client.prepare(timeout=CALL_TIMEOUT_SECONDS, server="here").call({}, "echo", value=2) == 2
        with raises_in_time(bus.place.no_answer):
            client.prepare(server="elsewhere").call({}, "echo", value=3)

    def test_call_with_unlimited_retries_ends_at_its_timeout(self, bus: TransportBus) -> None:
        errors = (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure)
        with raises_in_time(errors, 0.3):
            bus.client(timeout=0.3).call({}, "echo", value=1)

    @pytest.mark.parametrize("method", ["call", "cast"])
    def test_mandatory_message_without_a_server_is_undeliverable(self, bus: TransportBus, method: str) -> None:
        """At once, and in the class that oslo.messaging documents (case H2)."""
        client = bus.client(retry=0, transport_options=TRANSPORT_OPTIONS)
        with raises_in_time(oslo_messaging.MessageUndeliverable):
            getattr(client, method)({}, "take", value=1)
        bus.server("here")
        with raises_in_time(oslo_messaging.MessageUndeliverable):
            getattr(client.prepare(server="elsewhere"), method)({}, "take", value=1)

    def test_unreachable_transport_is_an_error_in_time(self, bus: TransportBus) -> None:
        # Over RabbitMQ a call waits without a limit, whatever its timeout: see the contract of zmq.
        client = bus.client_on(bus.transport(bus.place.unreachable_url), retry=0)
        for _ in range(2):
            with raises_in_time(bus.place.unreachable):
                client.cast({}, "take", value=1)

    def test_call_is_an_error_after_the_transport_was_closed(self, bus: TransportBus) -> None:
        server, transport = bus.server(), bus.transport()
        client = bus.client_on(transport)
        assert client.call({}, "echo", value=1) == 1
        transport.cleanup()
        transport.cleanup()
        for call in (client.call, client.cast):
            with raises_in_time(bus.place.closed):
                call({}, "take", value=2)
        assert server.endpoint.received == []

    def test_unused_transport_may_be_closed(self, bus: TransportBus) -> None:
        bus.server()
        transport = bus.transport()
        transport.cleanup()
        transport.cleanup()
        assert bus.client().call({}, "echo", value=1) == 1


class CallMonitorContract:
    """Takes seconds, because the shortest heartbeat interval of oslo.messaging is one second.

    Base class; the name of a subclass starts with Test.
    """

    def test_heartbeats_prolong_a_call_beyond_its_monitor_timeout(self, bus: TransportBus) -> None:
        monitor_seconds = 2

        class Working:
            def work(self, ctxt: dict[str, Any]) -> float:
                started = time.monotonic()
                # The method must take longer than the timeout, and no event exists to wait for.
                time.sleep(monitor_seconds + 0.6)
                return time.monotonic() - started

        bus.server(endpoints=[Working()])
        assert bus.client(call_monitor_timeout=monitor_seconds).call({}, "work") > monitor_seconds

    def test_call_ends_at_its_timeout_despite_heartbeats(self, bus: TransportBus) -> None:
        bus.server()
        with raises_in_time(oslo_messaging.MessagingTimeout, 1.5):
            bus.client(timeout=1.5, call_monitor_timeout=2).call({}, "hold", value="for ever")


@contextlib.contextmanager
def raises_in_time(
    errors: type[Exception] | tuple[type[Exception], ...], at_least_seconds: float = 0.0
) -> Iterator[None]:
    """Expect one of the errors, not much earlier than ``at_least_seconds`` and not much later."""
    started = time.monotonic()
    with pytest.raises(errors):
        yield
    assert at_least_seconds * 0.9 <= time.monotonic() - started < at_least_seconds + SLACK_SECONDS
