"""Exceptions of this project.

::

    CellsError
    ├── ConfigurationError        the operator must change a setting
    │   ├── PluginError           an entry point does not load
    │   └── CertificateError      a certificate or its key cannot be used
    ├── RoutingError              the message cannot reach its target
    │   ├── CellNotFound
    │   ├── AmbiguousCell
    │   ├── RoutingInconsistency
    │   ├── MaxHopCountReached
    │   ├── NoCellsAvailable      no cell fulfils the requirements
    │   └── RPCVersionCapError    the message needs a version above a cap on the way
    ├── DeliveryError             a broker or a queue did not accept the message
    │   ├── NeighborUnreachable
    │   ├── NeighborBusy
    │   ├── MessageRefused        the neighbor's broker works, and refuses this message
    │   ├── ManagerGone           the addressed manager has stopped
    │   ├── ClientGone            the calling client has stopped
    │   └── ServiceUnreachable    the broker of the target cell did not accept it
    ├── MessageError              the message itself is invalid
    │   ├── MalformedMessage
    │   ├── MessageTooLarge
    │   ├── UnknownMessageType
    │   ├── UnknownMethod
    │   ├── InvalidArguments
    │   ├── UnregisteredSender    the sender is no neighbor of the cell
    │   ├── WrongDirection        a child sent it down, or a parent sent it up
    │   └── WrongLink             a neighbor sent it in another's name, or over another driver
    ├── CallTimeout               no answer before the deadline
    │   ├── CellTimeout
    │   ├── ManagerTimeout
    │   └── ServiceTimeout        a service of the target cell did not answer
    ├── ServiceNotAllowed         the target cell does not allow the call of a service
    ├── CallNotAllowed            the target cell does not allow the call of an endpoint
    ├── RPCException              errors of cells.rpc itself
    │   ├── DuplicateMessageError
    │   ├── InvalidRPCConnectionReuse
    │   └── UnsupportedRpcEnvelopeVersion
    ├── ManagerBusy               too many calls wait in the manager
    ├── ManagerStopping           the manager shuts down before the answer
    ├── RemoteError               an error of another cell whose class is not rebuilt
    ├── MatchMakerException       no registered server on the brokerless transport
    │   └── RegistryUnavailable   the registry of its servers does not answer
    ├── SandboxError              a sandbox cannot be created or found
    ├── NeighborError             errors of the registry of neighbors
    │   ├── NeighborNotFound
    │   ├── NeighborExists
    │   ├── NeighborsReadOnly     the registry is a file, which only the operator changes
    │   └── InvalidNeighbor
    └── DatabaseError
        ├── DatabaseUnavailable
        └── SchemaOutdated

The constructor takes the text for a person, and details by keyword, which become
attributes of the same name.  Both survive JSON: oslo.messaging and :mod:`cells.failure`
rebuild an error from its ``args`` and ``kwargs``.
"""

from typing import Any, ClassVar


class CellsError(Exception):
    """Base of all errors of this project."""

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
    """Raised when a setting is missing, wrong, or contradicts another setting."""


class PluginError(ConfigurationError):
    """Raised when a plug-in (driver, endpoint, filter) is unknown or does not load."""


class CertificateError(ConfigurationError):
    """Raised when a certificate, or the key that belongs to it, cannot be used for direct links."""

    #: one word, for example ``expired``; the functions that raise it name their reasons
    reason: str | None = None


class RoutingError(CellsError):
    """Base of the errors of a message that cannot reach its target."""


class CellNotFound(RoutingError):
    """Raised when a cell on the way knows no cell of the target's name or path."""


class AmbiguousCell(RoutingError):
    """Raised when a short name stands for several cells: use a full path."""

    candidates: list[str] | None = None


class RoutingInconsistency(RoutingError):
    """Raised when the route of a message contradicts the path to its target."""

    route: str | None = None
    target: str | None = None


class MaxHopCountReached(RoutingError):
    """Raised when a message has reached its maximum number of hops."""

    hop_count: int | None = None


class NoCellsAvailable(RoutingError):
    """Raised when no candidate cell fulfils the requirements."""

    #: cell -> reason of its rejection
    reasons: dict[str, str] | None = None


class RPCVersionCapError(RoutingError):
    """Raised when a message needs a later version of the inter-cell API than a cap on the way allows."""


#: The sentence of an error whose ``may_arrive`` is true.
MAY_HAVE_ARRIVED = "The message may have arrived nevertheless."


class DeliveryError(CellsError):
    """Base of the errors of a message that no broker or queue has accepted."""

    #: whether the error occurred while sending, so that a broker may have accepted the message nevertheless
    may_arrive: bool | None = None


class NeighborUnreachable(DeliveryError):
    """Raised when the neighbor's broker is down, refuses the message, or does not answer in time."""


class NeighborBusy(DeliveryError):
    """Raised when the queue of messages for this neighbor is full."""


class MessageRefused(DeliveryError):
    """Raised when the neighbor's broker works and refuses this message; other messages are not concerned."""


class ManagerGone(DeliveryError):
    """Raised when the addressed manager has stopped; other managers of its cell may still run."""


class ClientGone(DeliveryError):
    """Raised when the reply queue of the calling client no longer exists."""


class ServiceUnreachable(DeliveryError):
    """Raised when the broker of the target cell did not accept a message for one of its services."""


class MessageError(CellsError):
    """Base of the errors of a message that cannot be read or executed."""


class MalformedMessage(MessageError):
    """Raised when a message is not JSON, lacks a key, or has a value of a wrong type."""


class MessageTooLarge(MessageError):
    """Raised when a message is longer than [cells] max_message_bytes of a cell, or than a broker takes."""

    size_bytes: int | None = None
    limit_bytes: int | None = None


class UnknownMessageType(MessageError):
    """Raised when the message_type of a message is not targeted, broadcast or response."""


class UnknownMethod(MessageError):
    """Raised when the target cell has no endpoint of that name for this type of message."""

    method: str | None = None


class InvalidArguments(MessageError):
    """Raised when the arguments of a message do not fit the endpoint."""

    method: str | None = None


class UnregisteredSender(MessageError):
    """Raised when a message comes from a cell that is not registered as a neighbor."""

    sender: str | None = None


class WrongDirection(MessageError):
    """Raised when a child sends a message down, or a parent sends one up: one of two rows has a wrong type."""


class WrongLink(MessageError):
    """Raised when a message comes over another link than that of its last hop's row, or comes back to a cell."""


class CallTimeout(CellsError):
    """Base of the errors of a call without an answer before its deadline."""

    timeout_seconds: float | None = None


class CellTimeout(CallTimeout):
    """Raised when another cell does not answer before the deadline."""


class ManagerTimeout(CallTimeout):
    """Raised when the manager of the caller's own cell does not answer: check that cells-manager runs."""


class ServiceTimeout(CallTimeout):
    """Raised when a service of the target cell does not answer its manager, or its heartbeats stop."""


class ServiceNotAllowed(CellsError):
    """Raised when [cells] allowed_services of the target cell does not allow a call from another cell."""


class CallNotAllowed(CellsError):
    """Raised when an endpoint, or the row of a neighbor, does not allow a call."""

    method: str | None = None


class RPCException(CellsError):
    """Base of the errors of :mod:`cells.rpc` itself."""


class DuplicateMessageError(RPCException):
    """Raised when a message arrives a second time, by another way than the first."""


class InvalidRPCConnectionReuse(RPCException):
    """Raised when a closed connection is used."""


class UnsupportedRpcEnvelopeVersion(RPCException):
    """Raised when the envelope of a message has a later version than this release reads."""


class ManagerBusy(CellsError):
    """Raised when too many calls wait in a manager for an answer or for a thread."""


class ManagerStopping(CellsError):
    """Raised when the manager shuts down before the answer arrives."""


class RemoteError(CellsError):
    """Raised for an error of another cell whose class this cell does not rebuild.

    Only classes of the modules in [cells] allowed_rpc_exception_modules are rebuilt.
    """

    exc_type: str | None = None
    value: str | None = None
    traceback: list[str] | None = None


class MatchMakerException(CellsError):
    """Raised when no server is registered that could receive a message."""

    def __init__(self, message: str = "Match not found by MatchMaker.", **details: Any) -> None:
        super().__init__(message, **details)


class RegistryUnavailable(MatchMakerException):
    """Raised when the registry of servers does not answer and the servers are not known from before."""


class SandboxError(CellsError):
    """Raised when a sandbox cannot be created, does not exist, or exists already."""


class NeighborError(CellsError):
    """Base of the errors of the registry of neighbors."""


class NeighborNotFound(NeighborError):
    """Raised when no registered neighbor has that name."""


class NeighborExists(NeighborError):
    """Raised when a registered neighbor has that name already."""


class NeighborsReadOnly(NeighborError):
    """Raised when a neighbor cannot be changed because the registry is a file."""


class InvalidNeighbor(NeighborError):
    """Raised when a neighbor has an invalid name, URL or weight."""


class DatabaseError(CellsError):
    """Base of the errors of this cell's own database."""


class DatabaseUnavailable(DatabaseError):
    """Raised when the database cannot be reached."""


class SchemaOutdated(DatabaseError):
    """Raised when the tables are missing or have an older revision: run "cells db sync"."""
