"""Contract of a transport: every transport that an operator may put into ``transport_url`` must keep it.

The tests use RPC and notifications as oslo.messaging documents them, through its public API
only.  They show that the services of a cell work over ``zmq://`` as over RabbitMQ.
A module that runs them subclasses TransportContract and defines a fixture ``bus``.
"""

from tests.contract.notifications import NotificationContract
from tests.contract.rpc import RPCContract
from tests.contract.rpc_failures import RPCFailureContract
from tests.contract.rpc_servers import RPCServerContract


class TransportContract(RPCContract, RPCFailureContract, RPCServerContract, NotificationContract):
    """Base class; the name of a subclass starts with Test."""
