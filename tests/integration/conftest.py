"""Fixtures of the servers and clients of the integration tests."""

from tests.integration.clients import connect_to
from tests.integration.rabbitmq import own_broker, rabbitmq
from tests.integration.servers import mariadb_url, postgresql_url
from tests.integration.service_process import deployed
from tests.integration.transports import linked, transports

__all__ = ["connect_to", "deployed", "linked", "mariadb_url", "own_broker", "postgresql_url", "rabbitmq", "transports"]
