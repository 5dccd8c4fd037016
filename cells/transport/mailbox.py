"""The mailbox: a broker or virtual host on which only the messages of neighbors arrive.

The login that a neighbor gets for the mailbox is no login to the bus of the cell, on which its services are.
"""

from __future__ import annotations

from oslo_config import cfg

from cells import exceptions
from cells.transport import url as transport_url
from cells.transport.place import is_one_place

#: The options that set the URLs, as errors name them.
OPTION, OWN_OPTION = "[cells] mailbox_url", "[DEFAULT] transport_url"


def own_urls(conf: cfg.ConfigOpts) -> tuple[str, str]:
    """Return the URLs that lead to this cell, with their passwords; the second is empty without a mailbox."""
    return conf.transport_url, conf.cells.mailbox_url or ""


def receiving_urls(conf: cfg.ConfigOpts) -> dict[str, str | None]:
    """Return the URLs at which neighbors reach this cell, by the options that set them."""
    own = {OWN_OPTION: conf.transport_url}
    if not conf.cells.mailbox_url:
        return own
    return {OPTION: conf.cells.mailbox_url, **(own if conf.cells.mailbox_migration else {})}


def problem(own_url: str, mailbox_url: str) -> str:
    """Return why ``mailbox_url`` cannot be the mailbox of a cell; empty if it can.  Does no I/O."""
    if transport_url.is_brokerless(own_url) and transport_url.is_brokerless(mailbox_url):
        return (
            f"{OPTION} has no use if {OWN_OPTION} is zmq:/// too: there the key of a neighbor reaches only the "
            "managers. Remove it, or name a broker."
        )
    try:
        mailbox = transport_url.parse(mailbox_url)
        transport_url.check_usable(mailbox)
    except exceptions.InvalidNeighbor as error:
        return f"{OPTION} cannot be used: {error.message}"
    try:
        own = transport_url.parse(own_url)
    except exceptions.InvalidNeighbor:
        return ""  # reported with the own broker
    if not is_one_place(own, mailbox):
        return ""
    return (
        f"{OPTION} leads to the same virtual host as {OWN_OPTION}, so a neighbor's login would be a login to this "
        "cell's own bus: give the mailbox a virtual host of its own, or remove the option."
    )
