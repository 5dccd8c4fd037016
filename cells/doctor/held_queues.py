"""The queues that the broker of the cell holds, as its management API tells, where [cells] management_url is set."""

from __future__ import annotations

from functools import partial

from oslo_config import cfg

from cells import exceptions
from cells.doctor.once import Once
from cells.transport import mailbox
from cells.transport import url as transport_url
from cells.transport.management import HeldQueue, Login, ManagementAPI, ManagementError
from cells.transport.rabbitmq import DEFAULT_USER
from cells.transport.url import TransportURL


class HeldQueues:
    """Thread-safe; the API is asked once for each virtual host."""

    def __init__(self, conf: cfg.ConfigOpts, timeout_seconds: float) -> None:
        """:param timeout_seconds: of each answer"""
        self._conf = conf
        self._timeout_seconds = timeout_seconds
        self._lists = {option: Once(partial(self._ask, option)) for option in (mailbox.OWN_OPTION, mailbox.OPTION)}
        self.api = Once(self._make_api)

    @property
    def is_configured(self) -> bool:
        """Whether [cells] management_url is set."""
        return bool(self._conf.cells.management_url)

    def of(self, option: str) -> list[HeldQueue] | None:
        """Return the queues of the virtual host that an option names; None: they cannot be listed."""
        try:
            return self.listed(option)
        except ManagementError:  # a check of its own reports it
            return None

    def listed(self, option: str) -> list[HeldQueue] | None:
        """Return the queues as :meth:`of`; None: no API of that broker is known.

        :raises ManagementError: the API does not answer, or refuses the request
        """
        return self._lists[option]()

    def virtual_host(self, option: str) -> str:
        """Return the name of the virtual host that an option names."""
        url = self._url(option)
        return (None if url is None else url.virtual_host) or "/"

    def _ask(self, option: str) -> list[HeldQueue] | None:
        if not self.is_configured or not self._is_of_this_broker(option):
            return None
        return self.api().queues(self.virtual_host(option))

    def _make_api(self) -> ManagementAPI:
        own = self._url(mailbox.OWN_OPTION)
        host = own.hosts[0] if own is not None and own.hosts else None
        username = (None if host is None else host.username) or DEFAULT_USER
        password = (None if host is None else host.password) or DEFAULT_USER
        ca_file = self._conf.oslo_messaging_rabbit.ssl_ca_file if "oslo_messaging_rabbit" in self._conf else ""
        return ManagementAPI(
            self._conf.cells.management_url, Login(username, password), self._timeout_seconds, ca_file or ""
        )

    def _is_of_this_broker(self, option: str) -> bool:
        """Return whether an option names the broker of [DEFAULT] transport_url, whose API is known."""
        own, other = self._url(mailbox.OWN_OPTION), self._url(option)
        if own is None or other is None:
            return False
        return {(host.hostname, host.port) for host in own.hosts} == {
            (host.hostname, host.port) for host in other.hosts
        }

    def _url(self, option: str) -> TransportURL | None:
        text = self._conf.transport_url if option == mailbox.OWN_OPTION else self._conf.cells.mailbox_url
        try:
            return transport_url.parse(text)
        except exceptions.InvalidNeighbor:
            return None
