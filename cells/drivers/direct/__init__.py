"""Direct links: two managers of neighboring cells hold one connection, without a broker between them.

Under construction: no driver uses it yet.  :class:`~cells.drivers.direct.node.Node` has the sockets and the threads; it
knows neighbors, certificates and payloads, and no configuration, database or routing.  The modules of the protocol,
which ``doc/source/contributor/direct.rst`` specifies, do no I/O: bytes and times come in, bytes and events go out.
"""
