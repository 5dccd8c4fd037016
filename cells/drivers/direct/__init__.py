"""Direct links: two managers of neighboring cells hold one connection, without a broker between them.

:class:`~cells.drivers.direct.driver.DirectDriver` makes :class:`~cells.drivers.direct.direct_links.DirectLinks` when a
neighbor has such a link.  These know messages and rows, and use :class:`~cells.drivers.direct.node.Node`, which has the
sockets and the threads, and knows neighbors, certificates and payloads.  The modules of the protocol, which
``doc/source/contributor/direct.rst`` specifies, do no I/O: bytes and times come in, bytes and events go out.
"""
