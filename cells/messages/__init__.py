"""Messages between cells: data, their JSON, and the decision where they go next."""

from cells.messages.base import Content, Message
from cells.messages.broadcast import BroadcastHeader, BroadcastMessage
from cells.messages.codec import MESSAGE_TYPES, REQUEST_TYPES, parse, salvage
from cells.messages.header import HERE, Header, Hop, Plan
from cells.messages.known_headers import KnownHeaders
from cells.messages.origin import UNKNOWN_ORIGIN, Origin
from cells.messages.relay import Batch
from cells.messages.response import EncodedResponse, Response, ResponseHeader, ResponseMessage, for_client
from cells.messages.targeted import TargetedHeader, TargetedMessage
from cells.messages.wire import SealedMessage
from cells.worker_threads import new_id

__all__ = [
    "HERE",
    "MESSAGE_TYPES",
    "REQUEST_TYPES",
    "UNKNOWN_ORIGIN",
    "Batch",
    "BroadcastHeader",
    "BroadcastMessage",
    "Content",
    "EncodedResponse",
    "Header",
    "Hop",
    "KnownHeaders",
    "Message",
    "Origin",
    "Plan",
    "Response",
    "ResponseHeader",
    "ResponseMessage",
    "SealedMessage",
    "TargetedHeader",
    "TargetedMessage",
    "for_client",
    "new_id",
    "parse",
    "salvage",
]
