"""The HTTP API of a cell: a WSGI application for clients that do not use oslo.messaging.

It talks to the manager of its cell by RPC, through :class:`cells.rpcapi.CellsAPI`, and reads no registry of neighbors,
so it holds no credentials but those of its own broker.  The exception is the examination of ``cells doctor``, which
runs here, because it must have a verdict while the manager is away.

:mod:`cells.api.deployment` builds the application of a configuration; ``cells-api`` and
``cells.wsgi.api:application`` serve it.
"""
