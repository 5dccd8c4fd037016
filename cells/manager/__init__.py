"""The manager of one cell: the RPC endpoints for its services, and the state of the cell.

The two endpoints report errors in different forms.  :class:`CellsManager` raises them, and
oslo.messaging rebuilds them in the client: the value of a call that another cell sends
directly to the client's reply queue is a bare value, which a client could not tell from an
answer object.  :class:`cells.manager.service_calls.ServiceCalls` returns answers, because
the transport of a service need not rebuild the errors of cells.
"""

from cells.manager.manager import CellsManager

__all__ = ["CellsManager"]
