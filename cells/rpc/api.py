"""RPC as functions of a module, for services without a client object: ``cells.rpc.call(context, topic, msg)``.

::

    cells.rpc.init(conf)
    cells.rpc.call(context, "inventory", {"method": "count", "args": {"kind": "disk"}}, cell="api!east")
    cells.rpc.cleanup()

``msg`` is ``{"method": ..., "args": {...}}``, with ``namespace`` and ``version`` if the
service has them.  ``context`` is a dictionary, a :class:`cells.rpc.CommonRpcContext`, or
an object with ``to_dict()`` like the contexts of oslo.context.  All functions share one
:class:`cells.rpc.RPCClient` and raise its errors.
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
from cells.rpc.service_message import ServiceMessage
from cells.services import fanout
from cells.services.validation import want_name
from cells.transport.errors import LIBRARY_ERRORS
from cells.transport.patches import reachability

_state = LibraryState()


def init(conf: Any, allowed_remote_exmods: Collection[str] = ()) -> None:
    """Set the configuration that the functions of this module use.  No I/O: the first use opens the transport.

    :param conf: of oslo.config, with ``[DEFAULT] transport_url`` and ``control_exchange``, and with ``[cells] topic``
        and ``exchange`` if the manager of this cell does not have the defaults
    :param allowed_remote_exmods: modules whose exceptions are raised again here; all others become a RemoteError
    :raises cells.exceptions.ConfigurationError: it was called before, without a :func:`cleanup` since
    """
    _state.init(conf, allowed_remote_exmods)


def cleanup() -> None:
    """Close the transports and connections that the functions of this module have opened.  May be called twice."""
    _state.cleanup()


def create_connection(new: bool = True) -> Connection:
    """Return a connection, which receives messages.

    :param new: whether the connection has a transport of its own; otherwise it uses the transport of the other
        functions, which stays open when the connection is closed
    :raises cells.exceptions.ConfigurationError: before :func:`init`, or the transport URL cannot be used
    """
    return _state.connect(is_new=new)


def call(context: Any, topic: str, msg: Any, timeout: float | None = None, *, cell: Any = None) -> Any:
    """Call a method and return its value.

    :param timeout: in seconds, by default ``[DEFAULT] rpc_response_timeout``
    :param cell: a full path, a unique name, or the result of :func:`cells.rpc.any_cell`; None: this cell
    :raises cells.rpc.RPCException: Timeout, RemoteError or MessageDeliveryFailure
    :raises cells.exceptions.CellsError: the message is wrong, the cell is unknown or does not allow the method
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        return _prepared(topic, message, timeout=timeout, cell=cell).call(values, message.method, **message.args)


def cast(context: Any, topic: str, msg: Any, *, cell: Any = None, cells: str | Sequence[str] | None = None) -> None:
    """Cast a method of one server in this cell, in another cell, or in each of many cells.

    :param cells: ``"down"``, ``"up"``, or a list
    :raises cells.rpc.MessageDeliveryFailure: the broker of the next cell did not take the message
    :raises cells.exceptions.CellsError: the message is wrong, or the cell is unknown
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


def multicall(  # noqa: PLR0913  # the method, the cells and the timeout
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

    The value of a cell that fails is an instance of Exception.  The values do not name their cells; use
    :meth:`cells.rpc.RPCClient.multicall` for that.  Without ``cells`` there is one value, for which this function
    waits.

    :param need: the number of values other than errors after which the iteration ends
    :returns: an iterator of ``(n, value)``, n from 0, in the order in which the answers arrive
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
    """Publish an event: each consumer pool of the topic in each of the cells gets it once.

    :param cells: ``"down"`` (this cell and all below), ``"up"`` (this cell and all above), or a list of cells
    :raises cells.rpc.MessageDeliveryFailure: some cells of a list did not get the event; the text names them
    :raises cells.exceptions.CellsError: the message or the cells are wrong
    """
    message, values = ServiceMessage.read(msg), context_values(context)
    with _own_errors():
        _prepared(topic, message, cells=cells).broadcast(values, message.method, **message.args)


def _prepared(topic: str, message: ServiceMessage, **options: Any) -> CallContext:
    want_name(topic, "A topic")
    return _state.client().prepare(topic=topic, **message.options, **options)


def _value_or_error(prepared: CallContext, values: dict[str, Any], message: ServiceMessage) -> Any:
    try:
        with _own_errors():
            return prepared.call(values, message.method, **message.args)
    except Exception as error:  # the value of a cell that fails, as with many cells
        return error


def _fanout_here(topic: str, message: ServiceMessage, values: dict[str, Any]) -> None:
    """Cast without the client, which does not know fan-out consumers."""
    transport = _state.client().transport
    with reachability.RequestLimits(transport).within(float(transport.conf.rpc_response_timeout)):
        fanout.cast_to_all(transport, oslo_messaging.Target(topic=topic), values, message.to_dict())


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Raise oslo.messaging's errors of a call in this cell as the errors of a call of another cell."""
    try:
        yield
    except RPCException:
        raise
    except oslo_messaging.MessagingTimeout as error:
        raise Timeout(str(error)) from error
    except (oslo_messaging.MessageDeliveryFailure, *LIBRARY_ERRORS) as error:
        raise MessageDeliveryFailure(str(error)) from error
    except oslo_messaging.RemoteError as error:
        raise RemoteError(error.exc_type, error.value, error.traceback) from error
