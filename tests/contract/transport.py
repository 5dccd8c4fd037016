"""What every transport has to do that an operator may put into ``transport_url``.

RPC and notifications as oslo.messaging documents them, through its public API alone: that the
services of a cell work over ``zmq://`` as they do over RabbitMQ is a tested fact.
A module that wants it makes a class of TransportContract and has a fixture ``bus``.
"""

from tests.contract.notifications import NotificationContract
from tests.contract.rpc import RPCContract
from tests.contract.rpc_failures import RPCFailureContract
from tests.contract.rpc_servers import RPCServerContract


class TransportContract(RPCContract, RPCFailureContract, RPCServerContract, NotificationContract):
    """To be inherited by a class whose name starts with Test."""
