"""The files of all cells: valid configurations, and neighbors registered on both sides."""

from __future__ import annotations

import stat
from pathlib import Path

from cells import conf as cells_conf
from cells.db.api import Database
from cells.sandbox import databases, links, transports
from cells.sandbox.layout import Layout
from cells.sandbox.state import State
from cells.sandbox.tree import Tree, parse


def create(layout: Layout, notation: str) -> Tree:
    tree = parse(notation)
    state = State(tree, transports.BROKERLESS)
    transport = transports.transport_of(layout, state)
    databases.create(layout, tree, transport, links.links_of(layout, state, transport))
    return tree


def neighbors(layout: Layout, name: str) -> dict[str, str]:
    database = Database(cells_conf.load([layout.cell(name).config]))
    try:
        return {
            row.name: f"{'parent' if row.is_parent else 'child'} {row.transport_url}" for row in database.neighbors()
        }
    finally:
        database.close()


def test_neighbors_are_registered_both_ways(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "$here")
    layout.directory.mkdir()
    create(layout, "api(east(az1),west)")

    def url(name: str) -> str:
        return f"zmq+ipc://{tmp_path}/%24here/{name}/ipc"

    assert {name: neighbors(layout, name) for name in ("api", "east", "az1", "west")} == {
        "api": {"east": f"child {url('east')}", "west": f"child {url('west')}"},
        "east": {"api": f"parent {url('api')}", "az1": f"child {url('az1')}"},
        "az1": {"east": f"parent {url('east')}"},
        "west": {"api": f"parent {url('api')}"},
    }


def test_configurations(layout: Layout) -> None:
    create(layout, "api$x(b)")
    for name in ("api$x", "b"):
        conf = cells_conf.load([layout.cell(name).config])
        assert (conf.cells.name, conf.host) == (name, name)
        assert conf.database.connection == f"sqlite:///{layout.cell(name).database}"
        assert conf.oslo_messaging_zmq.ipc_dir == str(layout.cell(name).sockets)
        # Services of the cell read the same file.
        assert conf.oslo_messaging_zmq.matchmaker_connection == conf.database.connection
        assert conf.cells.allowed_services == ["*/*"]
        assert conf.cells.max_hop_count == 10
        assert stat.S_IMODE(layout.cell(name).config.stat().st_mode) == 0o600
        assert stat.S_IMODE(layout.cell(name).directory.stat().st_mode) == 0o700


def test_deep_tree_has_a_higher_hop_count(layout: Layout) -> None:
    depth = 8
    create(layout, "(".join(f"a{level}" for level in range(depth)) + ")" * (depth - 1))
    assert cells_conf.load([layout.cell("a0").config]).cells.max_hop_count == 2 * depth
