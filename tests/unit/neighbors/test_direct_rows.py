"""Rows of neighbors with direct links: addresses, certificates, and an empty transport URL."""

from __future__ import annotations

from typing import Any

import pytest

from cells import exceptions
from cells.certificates import issuing
from cells.neighbors.neighbor import Neighbor
from cells.path import CellPath
from tests.cases import each
from tests.unit.certificates.made import DAY, NOW, authority, read

EAST = CellPath.parse("api!east")
KEY = issuing.new_key()
URL = "rabbit://u:s3kr3t@h/v"
OLD, NEW = (issuing.self_signed(EAST, KEY, now=NOW, days=days) for days in (10, 20))
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def row(**columns: Any) -> Neighbor:
    return Neighbor(**{"name": "east", "transport_url": "", "is_parent": False, "driver": "direct", **columns})


def test_a_direct_link_needs_no_url() -> None:
    assert row().transport_url == ""
    assert "transport_url=''" in repr(row())
    assert row(transport_url=URL).transport_url == URL


@each("driver", ["rpc", "memory"])
def test_other_drivers_need_a_url(driver: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match="transport URL"):
        row(driver=driver, addresses="h:1")


def test_the_url_of_a_direct_link_is_checked_if_there_is_one() -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match="transport URL"):
        row(transport_url="h:5672")


def test_a_neighbor_without_addresses_dials_in() -> None:
    assert row().dials_in
    assert row().address_list == ()
    assert not row(addresses="h:1").dials_in
    assert not row(driver="rpc", transport_url=URL).dials_in


def test_addresses_are_normalized() -> None:
    found = row(addresses=" 10.0.0.5:5680, [fd00::5]:5680 ,m1.east:1,10.0.0.5:5680")
    assert found.addresses == "10.0.0.5:5680,[fd00::5]:5680,m1.east:1"
    assert found.address_list == ("10.0.0.5:5680", "[fd00::5]:5680", "m1.east:1")


def test_certificates_are_normalized_and_parsed() -> None:
    found = row(certificates=f"subject=east\n{OLD}\nnext:\n{NEW}{OLD}")
    assert found.certificate_list == (read(OLD), read(NEW))
    assert found.certificates == OLD + NEW
    assert row(certificates=found.certificates) == found


def test_repr_shows_fingerprints() -> None:
    text = repr(row(certificates=OLD))
    assert read(OLD).fingerprint in text
    assert "BEGIN" not in text


def test_an_expired_certificate_is_accepted() -> None:
    expired = issuing.self_signed(EAST, KEY, now=NOW - 100 * DAY, days=1)
    assert row(certificates=expired).certificate_list == (read(expired),)


def test_columns_of_a_direct_link_are_kept_with_another_driver() -> None:
    columns = {"addresses": "h:1", "certificates": OLD, "certificate_path": "api!east", "also_accept": "direct"}
    found = row(driver="rpc", transport_url=URL, **columns)
    assert {column: getattr(found, column) for column in columns} == columns


@each(
    ("changes", "told"),
    [
        *(
            pytest.param({"addresses": text}, "addresses", id=f"addresses-{number}")
            for number, text in enumerate(
                ("", "h", "h:", ":1", "h:0", "h:65536", "h:1,", "h:1 h:2", "::1:5", "h\n:1", "*:1", "[::]:1", 7)
            )
        ),
        pytest.param({"addresses": ",".join(f"h:{port}" for port in range(1, 34))}, "at most 32", id="33-addresses"),
        *(
            pytest.param({"certificates": text}, "certificate", id=f"certificates-{number}")
            for number, text in enumerate(("", "hello", OLD[:-60], "\ud800", 7, PRIVATE_KEY))
        ),
        pytest.param({"certificates": OLD + PRIVATE_KEY}, "private key", id="private-key"),
        pytest.param({"certificates": authority().certificate.pem}, "authority", id="authority"),
        *(
            pytest.param({"certificate_path": text}, "certificate_path", id=f"path-{number}")
            for number, text in enumerate(("", "api!", "a b!east", "api!west", 7))
        ),
        *(
            pytest.param({"also_accept": text}, "also_accept", id=f"also-accept-{number}")
            for number, text in enumerate(("", "a\nb", "x" * 256, 7))
        ),
    ],
)
def test_invalid_value_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(exceptions.InvalidNeighbor, match=told) as caught:
        row(**changes)
    assert caught.value.cell == "east"
    assert "c2VjcmV0" not in str(caught.value)
    assert OLD[40:80] not in str(caught.value)


def test_a_row_has_at_most_eight_certificates() -> None:
    made = [issuing.self_signed(EAST, KEY, now=NOW, days=days) for days in range(1, 10)]
    assert len(row(certificates="".join(made[:8])).certificate_list) == 8
    with pytest.raises(exceptions.InvalidNeighbor, match="at most 8"):
        row(certificates="".join(made))


def test_from_mapping_needs_no_url_for_a_direct_link() -> None:
    assert Neighbor.from_mapping("east", {"driver": "direct", "is_parent": False}) == row()
    with pytest.raises(exceptions.InvalidNeighbor, match="lacks is_parent"):
        Neighbor.from_mapping("east", {"driver": "direct"})
    with pytest.raises(exceptions.InvalidNeighbor, match="lacks transport_url"):
        Neighbor.from_mapping("east", {"is_parent": False})
