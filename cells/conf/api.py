"""[cells_api]: the HTTP API of a cell, for clients that do not use oslo.messaging."""

from oslo_config import cfg

from cells.conf.declaration import option

GROUP = "cells_api"

OPTIONS = [
    option(cfg.StrOpt, "listen", default="127.0.0.1:8778")("""
Address at which cells-api serves the HTTP API, ``HOST:PORT``.

Write HOST in brackets if it is an IPv6 address: ``[::1]:8778``. The
connections are not encrypted: for clients of other hosts, put a proxy with
TLS in front. Another WSGI server that runs ``cells.wsgi.api:application``
has an address of its own.
"""),
    option(cfg.StrOpt, "auth", default="tokens", choices=["tokens", "keystone", "noauth"])("""
How clients prove who they are.

``tokens``: with a token of ``tokens_file``. ``keystone``: with a token of
Keystone, which the group ``[keystone_authtoken]`` configures. ``noauth``: not
at all, and every user of this host can change everything; ``listen`` must be a
loopback address, and requests of other hosts are refused.
"""),
    option(cfg.StrOpt, "tokens_file", default="$state_path/api-tokens")("""
File with the tokens of ``auth = tokens``.

Each line has the name of a client, its role (``reader`` or ``admin``) and its
token, of at least 20 characters, separated by blanks. Lines that begin with
``#`` are comments. Only the user that runs cells-api may have access to the
file: permissions 0600. cells-api reads the file when it starts.
"""),
    option(cfg.FloatOpt, "manager_timeout", default=1.5, min=0.1, max=60.0)("""
Time for an answer that the manager of this cell gives by itself, in seconds.

A manager that does not answer in time is away, and the HTTP status is 503.
"""),
    option(cfg.IntOpt, "max_body_bytes", default=1024 * 1024, min=1024)("""
Maximum size of the body of an HTTP request, in bytes.

Larger requests are refused with the HTTP status 413 before they are read.
"""),
    option(cfg.IntOpt, "threads", default=16, min=1, max=1000)("""
Number of HTTP requests that cells-api handles at the same time.

A call to another cell holds one thread until its answer arrives.
"""),
]
