"""The drivers with which a manager receives messages of other cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cells.drivers.base import BaseCellsDriver
from cells.drivers.registry import Drivers
from cells.neighbors.direct_columns import DIRECT


@dataclass(frozen=True)
class Receiver:
    """A driver that receives messages of other cells."""

    #: that sets the address at which it receives, as errors name it
    option: str
    #: of the driver
    name: str
    driver: BaseCellsDriver


def receivers_of(
    urls: Mapping[str, str | None], name: str, drivers: Drivers, open_other: Callable[[str | None], Drivers]
) -> list[Receiver]:
    """Return a driver for each URL at which a cell receives, and that of direct links.

    :param urls: by the options that set them; the first is that of ``drivers``
    :param name: of the driver, [cells] driver
    :param open_other: returns drivers for another URL, because a driver receives at one URL; they send nothing
    """
    (first, _), *others = urls.items()
    receivers = [Receiver(first, name, drivers.get(name))]
    receivers += [Receiver(option, name, open_other(url).get(name)) for option, url in others]
    if name != DIRECT:
        # It receives beside the driver of [cells] driver.
        receivers.append(Receiver("[cells_direct] listen", DIRECT, drivers.get(DIRECT)))
    return receivers
