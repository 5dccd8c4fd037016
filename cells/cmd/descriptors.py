"""The number of file descriptors that a manager may open.

Each connection to a manager occupies one, also a connection that never authenticates.  Systems start a process with a
limit of 1,024, which an attacker fills with idle connections, and let it raise the limit by itself.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

MANY = 65_536


def raise_limit(
    get: Callable[[int], tuple[int, int]] = resource.getrlimit,
    put: Callable[[int, tuple[int, int]], None] = resource.setrlimit,
) -> None:
    """Raise the limit to MANY, or as far as the system allows; leave a higher limit as it is."""
    soft, hard = get(resource.RLIMIT_NOFILE)
    wanted = MANY if hard == resource.RLIM_INFINITY else min(hard, MANY)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        put(resource.RLIMIT_NOFILE, (wanted, hard))
