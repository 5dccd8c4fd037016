"""The ports at which the managers of a sandbox listen for direct links."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping

from cells import exceptions
from cells.transport import reserved_port


@contextlib.contextmanager
def reserved(wanted: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield a port of the loopback address for each cell, reserved during the block for its manager.

    :param wanted: the last port of each cell, which it keeps unless another process uses it; 0: it had none
    :raises cells.exceptions.SandboxError: no port is free, or this process has too many open files
    """
    with contextlib.ExitStack() as stack:
        try:
            free = {name: _reserve(stack, port) for name, port in wanted.items()}
        except OSError as error:
            raise exceptions.SandboxError(
                f"There are no ports for the {len(wanted)} managers to listen at ({error}): raise the limit of open "
                "files ('ulimit -n') if it is reached, or use '--links rpc'."
            ) from error
        yield free


def _reserve(stack: contextlib.ExitStack, port: int) -> int:
    try:
        socket = reserved_port.reserve(port)
    except OSError as error:
        if not port or error.errno != errno.EADDRINUSE:
            raise
        socket = reserved_port.reserve()
    number: int = stack.enter_context(socket).getsockname()[1]
    return number
