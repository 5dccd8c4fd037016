"""What a message may call when it has arrived.  One file per domain, one function per method."""

from cells.endpoints.base import Call, LocalCell, endpoint
from cells.endpoints.registry import Endpoints
from cells.endpoints.threads import EndpointThreads

__all__ = ["Call", "EndpointThreads", "Endpoints", "LocalCell", "endpoint"]
