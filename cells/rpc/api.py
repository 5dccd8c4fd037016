"""RPC as functions of a module, for services that keep no client: ``cells.rpc.call(context, topic, msg)``.

::

    cells.rpc.init(conf)
    cells.rpc.call(context, "inventory", {"method": "count", "args": {"kind": "disk"}}, cell="api!east")
    cells.rpc.cleanup()

``msg`` is ``{"method": ..., "args": {...}}``, with ``namespace`` and ``version`` if the
service has them.  ``context`` is a dictionary, a :class:`cells.rpc.CommonRpcContext`, or
any object with ``to_dict()``, as oslo.context's.  All of it goes over one client, a
:class:`cells.rpc.RPCClient`, whose errors these functions raise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import oslo_messaging

from cells.rpc.call_context import CallContext
from cells.rpc.connection import Connection
from cells.rpc.context import context_values
from cells.rpc.exceptions import MessageDeliveryFailure, RemoteError, RPCException, Timeout
from cells.rpc.library_state import LibraryState
from cells.rpc.numbered_answers import NumberedAnswers
from cells.rpc.service_message import ServiceMessage, check_name
from cells.services import fanout

_state = LibraryState()


def init(conf: Any, allowed_remote_exmods: Collection[str] = ()) -> None:
    """Say which configuration the functions of this module go by.  No I/O: the first use opens the transport.

    :param conf: of oslo.config, with ``[DEFAULT] transport_url`` and ``control_exchange``; and ``[cells] topic`` and
        ``exchange`` if the manager of this cell has others than the defaults
    :param allowed_remote_exmods: modules whose exceptions are raised again here; others are a RemoteError
    :raises cells.exceptions.ConfigurationError: it was called before, without a :func:`cleanup` since
    """
    _state.init(conf, allowed_remote_exmods)


def cleanup() -> None:
    """Close all that the functions of this module have opened, connections included.  May be called twice."""
    _state.cleanup()


def create_connection(new: bool = True) -> Connection:
    """Make a connection, which takes messages.

    :param new: False: on the transport that the other functions use, which stays open when the connection is
        closed; True: on one of its own
    :raises cells.exceptions.ConfigurationError: before :func:`init`, or the transport URL cannot be used
    """
    return _state.connect(is_new=new)


def call(context: Any, topic: str, msg: Any, timeout: float | None = None, *, cell: Any = None) -> Any:
    """Call a method, and return what it returns.

    :param timeout: in seconds, by default ``[DEFAULT] rpc_response_timeout``
    :param cell: a full path, a unique name, or what :func:`cells.rpc.any_cell` gives; None: this cell
    :raises cells.rpc.RPCException: Timeout, RemoteError or MessageDeliveryFailure
    :raises cells.exceptions.CellsError: the message is wrong, the cell unknown, or lets nobody call that
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        return _prepared(topic, message, timeout=timeout, cell=cell).call(values, message.method, **message.args)


def cast(context: Any, topic: str, msg: Any, *, cell: Any = None, cells: str | Sequence[str] | None = None) -> None:
    """Cast a method of one server, in this cell, in another one, or in each of many.

    :param cells: ``"down"``, ``"up"``, or a list
    :raises cells.rpc.MessageDeliveryFailure: the broker of the next cell did not take it
    :raises cells.exceptions.CellsError: the message is wrong, or the cell unknown
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        _prepared(topic, message, cell=cell, cells=cells).cast(values, message.method, **message.args)


def fanout_cast(
    context: Any, topic: str, msg: Any, *, cell: Any = None, cells: str | Sequence[str] | None = None
) -> None:
    """Cast a method of all servers and all fan-out consumers of a topic; as :func:`cast`."""
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        prepared = _prepared(topic, message, cell=cell, cells=cells, fanout=True)
        if cell is None and cells is None:
            _fanout_here(topic, message, values)
        else:
            prepared.cast(values, message.method, **message.args)


def multicall(  # noqa: PLR0913  # what is called, where, and for how long
    context: Any,
    topic: str,
    msg: Any,
    timeout: float | None = None,
    *,
    cells: str | Sequence[str] | None = None,
    cell: Any = None,
    need: int | None = None,
) -> NumberedAnswers:
    """Call a method in many cells at once.

    An error of a cell is its value, an instance of Exception.  Which cell a value is of, nobody says here:
    :meth:`cells.rpc.RPCClient.multicall` does.  Without ``cells`` there is one value, and this returns when it is
    there.

    :param need: end when so many cells have given a value that is no error
    :returns: an iterator of ``(n, value)``, n from 0, in the order in which the answers come
    :raises cells.exceptions.CellsError: the message or the cells are wrong
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    prepared = _prepared(topic, message, timeout=timeout, cell=cell, cells=cells, need=need)
    if cells is None:
        return NumberedAnswers(iter([_value_or_error(prepared, values, message)]), lambda: None)
    with _own_errors():
        answers = prepared.multicall(values, message.method, **message.args)
    return NumberedAnswers((value for _, value in answers), answers.close)


def broadcast(context: Any, topic: str, msg: Any, *, cells: str | Sequence[str] = "down") -> None:
    """Publish an event: each consumer pool of the topic, in each of the cells, gets it once.

    :param cells: ``"down"`` (this one and all below), ``"up"`` (this one and all above), or a list
    :raises cells.rpc.MessageDeliveryFailure: cells of a list could not be sent it; says which
    :raises cells.exceptions.CellsError: the message or the cells are wrong
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        _prepared(topic, message, cells=cells).broadcast(values, message.method, **message.args)


def _prepared(topic: str, message: ServiceMessage, **options: Any) -> CallContext:
    check_name("A topic", topic)
    return _state.client().prepare(topic=topic, **message.options, **options)


def _value_or_error(prepared: CallContext, values: dict[str, Any], message: ServiceMessage) -> Any:
    try:
        with _own_errors():
            return prepared.call(values, message.method, **message.args)
    except Exception as error:  # as with many cells: each has a value
        return error


def _fanout_here(topic: str, message: ServiceMessage, values: dict[str, Any]) -> None:
    """Past the client, which does not know of fan-out consumers."""
    fanout.cast_to_all(_state.client().transport, oslo_messaging.Target(topic=topic), values, message.to_dict())


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """oslo.messaging's errors of a call in this cell as those that a call of another one raises."""
    try:
        yield
    except RPCException:
        raise
    except oslo_messaging.MessagingTimeout as error:
        raise Timeout(str(error)) from error
    except oslo_messaging.MessageDeliveryFailure as error:
        raise MessageDeliveryFailure(str(error)) from error
    except oslo_messaging.RemoteError as error:
        raise RemoteError(error.exc_type, error.value, error.traceback) from error
