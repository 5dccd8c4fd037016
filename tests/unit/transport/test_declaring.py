"""The broker's refusals of queues and exchanges, as an operator reads them."""

from __future__ import annotations

import amqp  # type: ignore[import-untyped]  # it has none
import oslo_messaging

from cells.transport.declaring import refusal
from tests.cases import each


def raised_after(error: Exception) -> Exception:
    """Return the error that a server of oslo.messaging raises at its start."""
    raised = oslo_messaging.MessageDeliveryFailure("Unable to connect")
    raised.__context__ = error
    return raised


@each(
    ("error", "options"),
    [
        (
            amqp.InternalError("INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated."),
            {"rabbit_quorum_queue", "rabbit_transient_quorum_queue"},
        ),
        (
            amqp.PreconditionFailed(
                "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'cells' in vhost '/': received 'x'"
            ),
            {"rabbit_quorum_queue", "rabbit_stream_fanout", "queue cells"},
        ),
        (
            amqp.PreconditionFailed(
                "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'openstack' in vhost '/': received 'x'"
            ),
            {"amqp_durable_queues", "exchange openstack"},
        ),
        (amqp.PreconditionFailed("PRECONDITION_FAILED - invalid property 'non-durable'"), {"non-durable"}),
    ],
)
def test_a_refused_declaration_names_the_options_to_change(error: Exception, options: set[str]) -> None:
    """(case A6)"""
    reason = refusal(raised_after(error))
    assert reason is not None
    assert [option for option in options if option not in reason] == []


@each("error", [amqp.InternalError("INTERNAL_ERROR - leader"), ConnectionRefusedError(111, "Connection refused")])
def test_other_errors_are_no_refusals(error: Exception) -> None:
    assert refusal(raised_after(error)) is None
