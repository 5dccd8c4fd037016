"""Every error that this project raises on purpose.

::

    CellsError
    ├── ConfigurationError        the operator has to change a setting
    │   └── PluginError           an entry point does not load
    ├── RoutingError              the message cannot get there
    │   ├── CellNotFound
    │   ├── AmbiguousCell
    │   ├── RoutingInconsistency
    │   ├── MaxHopCountReached
    │   ├── NoCellsAvailable      no cell fulfils what was required
    │   └── RPCVersionCapError    a cap on the way forbids what it needs
    ├── DeliveryError             a broker, or what is behind it, did not take it
    │   ├── NeighborUnreachable
    │   ├── NeighborBusy
    │   ├── ManagerGone           the one manager that it was for is not there any more
    │   ├── ClientGone            nor is the client that waited for it
    │   └── ServiceUnreachable    the broker of the target cell did not
    ├── MessageError              the message itself is wrong
    │   ├── MalformedMessage
    │   ├── MessageTooLarge
    │   ├── UnknownMessageType
    │   ├── UnknownMethod
    │   └── InvalidArguments
    ├── CallTimeout               an answer did not come in time
    │   ├── CellTimeout
    │   ├── ManagerTimeout
    │   └── ServiceTimeout        a service of the target cell did not answer
    ├── ServiceNotAllowed         the target cell lets no other cell call that
    ├── RPCException              of the library for services
    │   ├── DuplicateMessageError
    │   ├── InvalidRPCConnectionReuse
    │   └── UnsupportedRpcEnvelopeVersion
    ├── ManagerBusy               too many calls wait in this manager
    ├── ManagerStopping           the manager goes down before the answer came
    ├── RemoteError               an error of a class that may not be rebuilt
    ├── MatchMakerException       no server of that name is registered, where no broker knows
    ├── SandboxError              a tree of cells on this machine cannot be set up or found
    ├── NeighborError             what an operator asks of the registry
    │   ├── NeighborNotFound
    │   ├── NeighborExists
    │   └── InvalidNeighbor
    └── DatabaseError
        ├── DatabaseUnavailable
        └── SchemaOutdated

Each takes the message that a person reads, and details by keyword which become
attributes of the same name.  Both survive the way through JSON: ``args`` and
``kwargs`` are what oslo.messaging and :mod:`cells.failure` rebuild an error from.
"""

from typing import Any, ClassVar


class CellsError(Exception):
    """Base of all errors of this project: catch it to catch them all."""

    DETAILS: ClassVar[frozenset[str]] = frozenset()

    #: the cell that the error is about, a name or a full path
    cell: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", ())}
        cls.DETAILS = frozenset(declared - {"DETAILS", "message", "kwargs"})

    def __init__(self, message: str = "", **details: Any) -> None:
        unknown = details.keys() - self.DETAILS
        if unknown:
            raise TypeError(f"{type(self).__name__} has no detail {', '.join(sorted(unknown))}")
        super().__init__(message)
        self.message = message
        self.kwargs = details
        self.__dict__.update(details)


class ConfigurationError(CellsError):
    """Raised when a setting is missing, wrong, or contradicts another one."""


class PluginError(ConfigurationError):
    """Raised when an entry point (driver, endpoint) is unknown or does not load."""


class RoutingError(CellsError):
    """Base of the errors of a message that cannot reach its target."""


class CellNotFound(RoutingError):
    """Raised when no cell of that name or path is known where the message is."""


class AmbiguousCell(RoutingError):
    """Raised when a short name stands for several cells: use a full path."""

    candidates: list[str] | None = None


class RoutingInconsistency(RoutingError):
    """Raised when the path walked so far contradicts the path to the target."""

    route: str | None = None
    target: str | None = None


class MaxHopCountReached(RoutingError):
    """Raised when a message has been passed on as often as it may be."""

    hop_count: int | None = None


class NoCellsAvailable(RoutingError):
    """Raised when none of the cells that could be picked fulfils the requirements."""

    #: cell -> why it was rejected
    reasons: dict[str, str] | None = None


class RPCVersionCapError(RoutingError):
    """Raised when a message needs a later version of the inter-cell API than may be spoken on its way."""


class DeliveryError(CellsError):
    """Base of the errors of a message that nobody has taken."""

    #: whether it was being sent when that went wrong, so that a broker may have taken it after all
    may_arrive: bool | None = None


class NeighborUnreachable(DeliveryError):
    """Raised when the neighbor's broker is down, refuses, or does not answer in time."""


class NeighborBusy(DeliveryError):
    """Raised when too many messages wait for this neighbor already."""


class ManagerGone(DeliveryError):
    """Raised when the one manager that a message was for is gone: its cell may be well, and nobody else waits."""


class ClientGone(DeliveryError):
    """Raised when an answer cannot be sent straight to the client that waits for it: its queue is not there."""


class ServiceUnreachable(DeliveryError):
    """Raised when the broker of the target cell did not take a message for one of its services."""


class MessageError(CellsError):
    """Base of the errors of a message that cannot be read or carried out."""


class MalformedMessage(MessageError):
    """Raised when a message is no JSON, lacks a key, or has a value of a wrong type."""


class MessageTooLarge(MessageError):
    """Raised when the JSON text of a message is longer than [cells] max_message_bytes."""

    size_bytes: int | None = None
    limit_bytes: int | None = None


class UnknownMessageType(MessageError):
    """Raised when message_type is none of targeted, broadcast, response."""


class UnknownMethod(MessageError):
    """Raised when the target cell has no endpoint of that name for this type of message."""

    method: str | None = None


class InvalidArguments(MessageError):
    """Raised when the arguments of a message do not fit the endpoint."""

    method: str | None = None


class CallTimeout(CellsError):
    """Base of the errors of an answer that did not come in time."""

    timeout_seconds: float | None = None


class CellTimeout(CallTimeout):
    """Raised when another cell did not answer before the deadline."""


class ManagerTimeout(CallTimeout):
    """Raised when the manager of one's own cell did not answer: is cells-manager running?"""


class ServiceTimeout(CallTimeout):
    """Raised when a service of the target cell did not answer its manager, or stopped saying that it still works."""


class ServiceNotAllowed(CellsError):
    """Raised when [cells] allowed_services of the target cell does not name what another cell wants to call."""


class RPCException(CellsError):
    """Base of the errors of :mod:`cells.rpc` that are no errors of cells."""


class DuplicateMessageError(RPCException):
    """Raised when a message comes a second time, by another way than the first."""


class InvalidRPCConnectionReuse(RPCException):
    """Raised when a connection is used that was closed."""


class UnsupportedRpcEnvelopeVersion(RPCException):
    """Raised when a message is wrapped in an envelope of a later major version than is known here."""


class ManagerBusy(CellsError):
    """Raised when too many calls wait, for an answer or for a thread, in one manager already."""


class ManagerStopping(CellsError):
    """Raised when the manager is shut down before the answer has come."""


class RemoteError(CellsError):
    """Raised for an error of another cell whose class this cell does not rebuild.

    Only classes of the modules in [cells] allowed_rpc_exception_modules are rebuilt.
    """

    exc_type: str | None = None
    value: str | None = None
    traceback: list[str] | None = None


class MatchMakerException(CellsError):
    """Raised when nobody is registered who could take a message."""

    def __init__(self, message: str = "Match not found by MatchMaker.", **details: Any) -> None:
        super().__init__(message, **details)


class SandboxError(CellsError):
    """Raised when a sandbox cannot be set up, is not there, or is in the way."""


class NeighborError(CellsError):
    """Base of the errors of the registry of neighbors."""


class NeighborNotFound(NeighborError):
    """Raised when no neighbor of that name is registered."""


class NeighborExists(NeighborError):
    """Raised when a neighbor of that name is registered already."""


class InvalidNeighbor(NeighborError):
    """Raised when what shall be registered cannot work: a bad name, URL or weight."""


class DatabaseError(CellsError):
    """Base of the errors of this cell's own database."""


class DatabaseUnavailable(DatabaseError):
    """Raised when the database cannot be reached."""


class SchemaOutdated(DatabaseError):
    """Raised when the tables are not there or of another version: run "cells db sync"."""
