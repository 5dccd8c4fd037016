"""A manager whose own broker refuses its login at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.processes import OPTIONS, make_manager
from tests.integration.rabbitmq import URL
from tests.integration.transports import CellTransport
from tools.polling import poll
from tools.virtual_hosts import VirtualHosts

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]


@pytest.mark.usefixtures("rabbitmq")
def test_a_missing_virtual_host_is_named_until_it_is_created(tmp_path: Path) -> None:
    """A condition that may change does not end the start (cases E)."""
    hosts = VirtualHosts(URL)
    name = hosts.new_name()
    url = hosts.url_of(name)
    manager = make_manager(tmp_path, "api", CellTransport(url, url, {}), options=OPTIONS)
    manager.sync_database()
    try:
        manager.start()
        poll(lambda: lines_with(manager.log(), name, "cell api", "transport_url"), "the manager names it", 60)
        # The library would log its attempts without end, and without the cell.
        assert lines_with(manager.log(), "oslo.messaging._drivers") == []
        hosts.create_named([name])
        manager.wait_ready(60)
    finally:
        manager.kill()
        hosts.delete()


def lines_with(log: str, *words: str) -> list[str]:
    return [line for line in log.splitlines() if all(word in line for word in words)]
