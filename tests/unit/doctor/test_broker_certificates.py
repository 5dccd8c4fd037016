"""The certificates that brokers show: expired, about to expire, and valid."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cells.certificates import issuing
from cells.doctor.checks.broker_certificates import BrokerCertificateCheck
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.cases import each
from tests.unit.doctor.fake_case import make_case

NOW = datetime.fromtimestamp(1_000_000.0, timezone.utc)
DAY = timedelta(days=1)


@contextlib.contextmanager
def tls_server(directory: Path, begin: datetime, days: int) -> Iterator[int]:
    """Show a certificate to each client; yield the port."""
    certificate, key = directory / "broker.crt", directory / "broker.key"
    made = issuing.new_key()
    issuing.write(
        {certificate: issuing.self_signed(CellPath(["broker"]), made, now=begin, days=days), key: made}, force=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with accepted, contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) as one:
                        one.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@each(
    ("begin", "days", "expected"),
    [
        (NOW - 100 * DAY, 400, []),
        (NOW - 100 * DAY, 110, ["broker_certificate_expires"]),
        (NOW - 100 * DAY, 50, ["broker_certificate_invalid"]),
        (NOW + 5 * DAY, 100, ["broker_certificate_invalid"]),
    ],
)
def test_the_certificates_of_the_own_broker_and_of_a_neighbor(
    tmp_path: Path, begin: datetime, days: int, expected: list[str]
) -> None:
    with tls_server(tmp_path, begin, days) as port:
        east = Neighbor("east", f"rabbit://u:secret@127.0.0.1:{port}/v?ssl=true", is_parent=False)
        case = make_case(rows=[east])
        case.conf.set_override("transport_url", f"rabbit://u:secret@127.0.0.1:{port}/v?ssl=true")
        found = list(BrokerCertificateCheck().run(case))
    assert [finding.name for finding in found] == 2 * expected
    assert [finding.subject for finding in found] == [f"127.0.0.1:{port}", "east"] * bool(expected)
    assert "secret" not in str([finding.as_dict() for finding in found])


def test_brokers_without_tls_and_hosts_that_do_not_answer_are_left_to_other_checks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        rows = [
            Neighbor("plain", f"rabbit://u:p@127.0.0.1:{port}/v", is_parent=False),
            Neighbor("silent", f"rabbit://u:p@127.0.0.1:{port}/v?ssl=true", is_parent=False),
            Neighbor("away", "rabbit://u:p@127.0.0.1:1/v?ssl=true", is_parent=False),
            Neighbor("edge", "", is_parent=False, driver="direct"),
        ]
        case = make_case(rows=rows, timeout_seconds=0.5)
        assert [host.owner for host in case.encrypted_hosts()] == ["silent", "away"]
        assert list(BrokerCertificateCheck().run(case)) == []
