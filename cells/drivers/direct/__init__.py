"""The protocol of direct links: two managers of neighboring cells hold one connection, without a broker between them.

Under construction: no driver uses it yet.  No module here opens a socket, starts a thread or reads a clock that it was
not given: bytes and times come in, bytes and events go out.  ``doc/source/contributor/direct.rst`` specifies the
protocol.
"""
