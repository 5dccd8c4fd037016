"""Direct links between the cells of a sandbox: rows, certificates and ports."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from cells import conf as cells_conf
from cells.certificates import own
from cells.db.api import Database
from cells.neighbors.neighbor import Neighbor
from cells.sandbox import databases, links, transports
from cells.sandbox.layout import Layout
from cells.sandbox.state import State
from cells.sandbox.tree import parse

TREE = parse("api(east(az1),west)")
PORTS = {"api": 4001, "east": 4002, "az1": 4003, "west": 4004}


def create(layout: Layout) -> None:
    state = State(TREE, transports.BROKERLESS, links="direct", ports=PORTS)
    transport = transports.transport_of(layout, state)
    databases.create(layout, TREE, transport, links.links_of(layout, state, transport))


def rows(layout: Layout, name: str) -> dict[str, Neighbor]:
    with contextlib.closing(Database(cells_conf.load([layout.cell(name).config]))) as database:
        return {row.name: row for row in database.neighbors()}


def test_children_connect_to_the_managers_of_their_parents(layout: Layout) -> None:
    create(layout)
    links_of_all = {
        (name, row.name): (row.driver, row.transport_url, row.is_parent, row.dials_in, row.address_list)
        for name in PORTS
        for row in rows(layout, name).values()
    }
    up_to_api, up_to_east = (("direct", "", True, False, (f"127.0.0.1:{port}",)) for port in (4001, 4002))
    down = ("direct", "", False, True, ())
    assert links_of_all == {
        ("api", "east"): down,
        ("api", "west"): down,
        ("east", "api"): up_to_api,
        ("east", "az1"): down,
        ("az1", "east"): up_to_east,
        ("west", "api"): up_to_api,
    }
    for name, port in PORTS.items():
        assert cells_conf.load([layout.cell(name).config]).cells_direct.listen == [f"127.0.0.1:{port}"]


def test_each_cell_has_its_own_certificate_and_its_neighbors_know_it(layout: Layout) -> None:
    create(layout)
    fingerprints = {}
    for name, path in (("api", "api"), ("east", "api!east"), ("az1", "api!east!az1"), ("west", "api!west")):
        group = cells_conf.load([layout.cell(name).config]).cells_direct
        certificate = own.read(Path(group.certificate), Path(group.key))
        assert certificate.paths == (path,)
        assert stat.S_IMODE(Path(group.key).stat().st_mode) == 0o600
        fingerprints[name] = certificate.fingerprint
    assert len(set(fingerprints.values())) == len(PORTS)
    for name in PORTS:
        for neighbor, row in rows(layout, name).items():
            assert [one.fingerprint for one in row.certificate_list] == [fingerprints[neighbor]]


def test_a_new_port_is_written_to_the_parent_and_its_children_alone(layout: Layout) -> None:
    create(layout)
    state = State(TREE, transports.BROKERLESS, links="direct", ports=PORTS)
    assert links.move(layout, state, {"east": 5002, "west": 5004}) == {"az1"}
    listening = {name: cells_conf.load([layout.cell(name).config]).cells_direct.listen for name in PORTS}
    assert listening == {name: [f"127.0.0.1:{port}"] for name, port in {**PORTS, "east": 5002, "west": 5004}.items()}
    assert rows(layout, "az1")["east"].addresses == "127.0.0.1:5002"
    assert rows(layout, "east")["api"].addresses == "127.0.0.1:4001"
    assert rows(layout, "east")["az1"].dials_in
    assert stat.S_IMODE(layout.cell("east").config.stat().st_mode) == 0o600


def test_default_driver() -> None:
    assert links.default(transports.BROKERLESS) == "rpc"
    assert links.default("rabbit://u:p@h/") == "direct"
