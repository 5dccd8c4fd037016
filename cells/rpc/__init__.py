"""The library for authors of services: call services of other cells like services of the own cell.

The module docstring of :mod:`cells.rpc.client` has an example; the rest of the interface is
that of oslo.messaging's ``RPCClient``.
"""

from cells.rpc.answers import Answers
from cells.rpc.api import broadcast, call, cast, cleanup, create_connection, fanout_cast, init, multicall
from cells.rpc.client import RPCClient, get_rpc_client
from cells.rpc.connection import Connection
from cells.rpc.context import CommonRpcContext, current_context
from cells.rpc.exceptions import (
    DuplicateMessageError,
    InvalidRPCConnectionReuse,
    MessageDeliveryFailure,
    RemoteError,
    RPCException,
    Timeout,
    UnsupportedRpcEnvelopeVersion,
)
from cells.rpc.expected import ClientException, client_exceptions
from cells.rpc.numbered_answers import NumberedAnswers
from cells.services.envelope import deserialize_msg, serialize_msg
from cells.services.requirements import any_cell

__all__ = [
    "Answers",
    "ClientException",
    "CommonRpcContext",
    "Connection",
    "DuplicateMessageError",
    "InvalidRPCConnectionReuse",
    "MessageDeliveryFailure",
    "NumberedAnswers",
    "RPCClient",
    "RPCException",
    "RemoteError",
    "Timeout",
    "UnsupportedRpcEnvelopeVersion",
    "any_cell",
    "broadcast",
    "call",
    "cast",
    "cleanup",
    "client_exceptions",
    "create_connection",
    "current_context",
    "deserialize_msg",
    "fanout_cast",
    "get_rpc_client",
    "init",
    "multicall",
    "serialize_msg",
]
