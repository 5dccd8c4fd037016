"""Messages between cells: data, their JSON, and the decision where they go next."""

from cells.messages.base import HERE, Hop, Message, Plan, new_id
from cells.messages.broadcast import BroadcastMessage
from cells.messages.codec import MESSAGE_TYPES, parse, salvage
from cells.messages.relay import Relay, Transit
from cells.messages.response import EncodedResponse, Response, ResponseMessage
from cells.messages.targeted import TargetedMessage
from cells.messages.wire import SealedMessage

__all__ = [
    "HERE",
    "MESSAGE_TYPES",
    "BroadcastMessage",
    "EncodedResponse",
    "Hop",
    "Message",
    "Plan",
    "Relay",
    "Response",
    "ResponseMessage",
    "SealedMessage",
    "TargetedMessage",
    "Transit",
    "new_id",
    "parse",
    "salvage",
]
