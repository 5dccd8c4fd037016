"""Checks of ``cells-status upgrade check`` for direct links: their certificates, and the addresses to listen at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from oslo_config import cfg

from cells import exceptions
from cells.certificates import certificate, expiry, own
from cells.certificates.certificate import Certificate
from cells.neighbors.direct_columns import DIRECT
from cells.neighbors.neighbor import Neighbor
from cells.transport import socket_address

GROUP = "cells_direct"
#: options without which a cell has no direct link, or has the certificate in its default file
_OPTIONS = ("listen", "certificate", "key", "ca")


def check(conf: cfg.ConfigOpts, rows: Sequence[Neighbor], now: datetime) -> tuple[list[str], list[str]]:
    """Return the failures and the warnings; none for a cell without direct links."""
    failures: list[str] = []
    warnings: list[str] = []
    if not _has_direct_links(conf, rows):
        return failures, warnings
    options = conf[GROUP]
    for text in options.listen:
        try:
            socket_address.split(text)
        except exceptions.ConfigurationError as error:
            failures.append(f"[{GROUP}] listen: {error.message}")
    try:
        found = own.read(Path(options.certificate), Path(options.key))
        found.check_is_valid(now)
        warnings += expiry.expiring([(f"[{GROUP}] certificate", found)], now)
    except exceptions.ConfigurationError as error:
        failures.append(f"[{GROUP}] certificate: {error.message}")
    for file in options.ca:
        try:
            warnings += expiry.expiring([(f"[{GROUP}] ca", one) for one in _authorities(Path(file))], now)
        except exceptions.ConfigurationError as error:
            failures.append(f"[{GROUP}] ca: {error.message}")
    for row in rows:
        warnings += expiry.expiring([(f"Neighbor {row.name}", one) for one in row.certificate_list], now)
    return failures, warnings


def _has_direct_links(conf: cfg.ConfigOpts, rows: Sequence[Neighbor]) -> bool:
    return (
        any(_is_configured(conf, option) for option in _OPTIONS)
        # False if this user may not look.
        or any(os.path.exists(file) for file in (conf[GROUP].certificate, conf[GROUP].key))
        or any(row.may_send_over(DIRECT) for row in rows)
    )


def _is_configured(conf: cfg.ConfigOpts, option: str) -> bool:
    found = conf.get_location(option, GROUP)
    return found is not None and found.location.is_user_controlled


def _authorities(file: Path) -> list[Certificate]:
    found = certificate.read_file(file)
    for one in found:
        one.check_is_authority()
    return found
