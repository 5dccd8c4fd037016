"""The transport and servers without a broker that the tests of services use."""

from tests.unit.services.conftest import make_transport, serve, url

__all__ = ["make_transport", "serve", "url"]
