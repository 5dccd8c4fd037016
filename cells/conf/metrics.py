"""[cells_metrics]: numbers about a manager, and its health, over HTTP."""

from oslo_config import cfg

from cells.conf.declaration import option

GROUP = "cells_metrics"

OPTIONS = [
    option(cfg.ListOpt, "listen", default=[])("""
Addresses at which this manager serves its metrics and its health over HTTP.

A list of ``HOST:PORT``, with HOST in brackets if it is an IPv6 address:
``127.0.0.1:9180,[fd00::5]:9180``. The pages are ``/metrics`` for Prometheus,
``/healthz`` and ``/readyz``. By default there are none. The pages have no
password: use an address that only your monitoring can reach. Each manager of
a host needs its own port.
"""),
]
