"""One link per neighbor: its send queue, its sending thread, and the set of all links.

Routing queues outgoing messages here and never waits for a broker.
"""

from cells.links.delivery import LinkLimits
from cells.links.links import Links
from cells.links.losses import Losses
from cells.links.send_queue import OnFailure, OnSent, SendRequest

__all__ = ["LinkLimits", "Links", "Losses", "OnFailure", "OnSent", "SendRequest"]
