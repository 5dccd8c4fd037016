"""The table of neighbors: changes of the rows, times of messages, and states."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import pytest

from cells.neighbors import MAX_MANAGERS, Direction, Heard, Neighbors, NeighborTable, State
from cells.neighbors.neighbor import Neighbor
from cells.path import MAX_NAME_LENGTH
from tests.cases import each
from tests.clock import Clock

MUTE_AFTER = 300.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> NeighborTable:
    return NeighborTable(MUTE_AFTER, clock)


def row(name: str, *, is_parent: bool = False, url: str = "memory://bus/x", **columns: Any) -> Neighbor:
    return Neighbor(name, url, is_parent, **columns)


def test_opposite_directions() -> None:
    assert Direction.UP.opposite is Direction.DOWN
    assert Direction.DOWN.opposite is Direction.UP
    assert [Direction("up"), Direction("down")] == [Direction.UP, Direction.DOWN]


def test_snapshot_parts_parents_and_children() -> None:
    neighbors = Neighbors.of(iter([row("top", is_parent=True), row("a"), row("b")]))
    assert list(neighbors.toward(Direction.UP)) == ["top"]
    assert list(neighbors.toward(Direction.DOWN)) == ["a", "b"]
    assert sorted(neighbors.all()) == ["a", "b", "top"]


def test_new_table_is_empty(table: NeighborTable) -> None:
    assert table.snapshot().all() == {}
    assert table.living_children() == {}


def test_replace_returns_added_removed_and_changed_rows(table: NeighborTable) -> None:
    stays, old, gone = row("stays"), row("moves"), row("gone")
    assert table.replace([stays, old, gone]).added == (stays, old, gone)
    moved, new = row("moves", url="memory://bus/y"), row("new")
    changes = table.replace([stays, moved, new])
    assert changes
    assert changes.added == (new,)
    assert changes.changed == (moved,)
    assert set(changes.removed) == {old, gone}
    assert table.snapshot() == Neighbors.of([stays, moved, new])


def test_the_same_rows_again_are_no_change(table: NeighborTable) -> None:
    table.replace([row("a"), row("top", is_parent=True)])
    assert not table.replace([row("top", is_parent=True), row("a")])


def test_a_child_that_becomes_a_parent_is_a_change(table: NeighborTable) -> None:
    table.replace([row("a")])
    assert table.replace([row("a", is_parent=True)]).changed == (row("a", is_parent=True),)
    assert list(table.snapshot().parents) == ["a"]
    assert not table.snapshot().children


def test_an_old_snapshot_does_not_change(table: NeighborTable) -> None:
    table.replace([row("a")])
    before = table.snapshot()
    table.replace([])
    assert list(before.children) == ["a"]


def test_the_state_of_a_neighbor_survives_a_change_of_the_row(table: NeighborTable) -> None:
    table.replace([row("a")])
    table.record("a", capabilities={"os": ["linux"]})
    table.replace([row("a", url="memory://bus/y")])
    assert table.state("a") is State.UP
    assert table.living_children()["a"].capabilities == {"os": ["linux"]}


def test_the_state_of_a_neighbor_goes_with_the_neighbor(table: NeighborTable) -> None:
    table.replace([row("a")])
    table.record("a", capabilities={"os": ["linux"]})
    table.replace([])
    assert table.heard("a") is None
    table.replace([row("a")])
    assert table.state("a") is State.UNKNOWN
    assert table.living_children() == {}


def test_an_unknown_neighbor_is_not_recorded(table: NeighborTable) -> None:
    assert table.record("stranger", capabilities={"os": ["linux"]}) is False
    table.record_delivery("stranger", is_reachable=False)
    assert table.heard("stranger") is None
    assert table.state("stranger") is State.UNKNOWN


def test_life_of_a_neighbor(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    assert table.state("a") is State.UNKNOWN
    clock.now += 10
    assert table.record("a") is True
    assert table.state("a") is State.UP
    clock.now += MUTE_AFTER
    assert table.state("a") is State.UP
    clock.now += 1
    assert table.state("a") is State.MUTE
    assert table.record("a")
    assert table.state("a") is State.UP


def test_a_silent_new_neighbor_becomes_mute(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    clock.now += MUTE_AFTER
    assert table.state("a") is State.UNKNOWN
    clock.now += 1
    assert table.state("a") is State.MUTE


@each(("receivers", "state"), [(None, State.UNKNOWN), (2, State.UP), (0, State.MUTE)])
def test_a_parent_of_nova_that_sends_nothing_is_judged_by_its_consumers(
    table: NeighborTable, clock: Clock, receivers: int | None, state: State
) -> None:
    table.replace([row("top", is_parent=True, version_cap="stein"), row("child", version_cap="stein")])
    for name in ("top", "child"):
        table.record(name)
        table.record_receivers(name, receivers)
    assert table.state("top") is State.UP
    clock.now += MUTE_AFTER + 1
    assert table.state("top") is state
    assert table.state("child") is State.MUTE  # a child of Nova reports its capabilities every minute


def test_a_cap_of_nova_ends_the_wait_for_the_answer_to_a_ping(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    table.record("a")
    table.record_probe("a")
    clock.now += 60
    assert table.state("a") is State.SILENT
    table.replace([row("a", version_cap="stein")])
    assert table.state("a") is State.UP


def test_a_reload_does_not_make_a_silent_neighbor_younger(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    clock.now += MUTE_AFTER + 1
    table.replace([row("a")])
    assert table.state("a") is State.MUTE


def test_a_broker_that_refused_the_last_message_is_unreachable(table: NeighborTable) -> None:
    table.replace([row("a")])
    table.record("a")
    table.record_delivery("a", is_reachable=False)
    assert table.state("a") is State.UNREACHABLE
    table.record_delivery("a", is_reachable=True)
    assert table.state("a") is State.UP


@each("moved", [{"url": "memory://bus/y"}, {"driver": "memory"}])
def test_a_neighbor_that_moves_to_another_broker_or_driver_starts_as_reachable(
    table: NeighborTable, moved: dict[str, Any]
) -> None:
    table.replace([row("a")])
    table.record("a")
    table.record_delivery("a", is_reachable=False)
    table.replace([row("a", weight_offset=2.0)])
    assert table.state("a") is State.UNREACHABLE
    before = table.snapshot().all()["a"]
    table.replace([row("a", **moved)])
    assert table.state("a") is State.UP
    assert not table.is_way_to("a", *before.way)
    assert table.is_way_to("a", *row("a", **moved).way)
    assert not table.is_way_to("stranger", *before.way)


def test_living_children_have_sent_a_message_lately(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("top", is_parent=True), row("mute"), row("new"), row("up")])
    for name in ("top", "mute"):
        table.record(name)
    clock.now += MUTE_AFTER
    assert list(table.living_children()) == ["mute"]
    clock.now += 1
    table.record("top")
    table.record("up")
    assert list(table.living_children()) == ["up"]


def test_record_keeps_the_other_values(table: NeighborTable) -> None:
    table.replace([row("a")])
    table.record("a", capabilities={"os": ["linux"]})
    table.record("a", capacities={"ram": 5})
    heard = table.heard("a")
    assert heard is not None
    assert (heard.capabilities, heard.capacities) == ({"os": ["linux"]}, {"ram": 5})


def test_seconds_since(table: NeighborTable, clock: Clock) -> None:
    clock.now = 50.0
    assert table.seconds_since(20.0) == 30.0


def test_readers_never_see_half_a_change(table: NeighborTable) -> None:
    one, other = [row("a"), row("b")], [row("c"), row("d", is_parent=True)]
    table.replace(one)
    seen = {frozenset("ab"), frozenset("cd")}

    def write() -> None:
        for _ in range(200):
            table.replace(other)
            table.replace(one)

    def read() -> list[frozenset[str]]:
        for _ in range(200):
            table.record("a")
            table.living_children()
            table.state("c")
        return [frozenset(table.snapshot().all()) for _ in range(200)]

    with futures.ThreadPoolExecutor(4) as pool:
        writing = pool.submit(write)
        reading = [pool.submit(read) for _ in range(3)]
        writing.result(10)
        for done in reading:
            assert set(done.result(10)) <= seen


def heard(table: NeighborTable, name: str = "a") -> Heard:
    found = table.heard(name)
    assert found is not None
    return found


def test_a_description_is_recorded_and_marks_the_neighbor_as_up(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    description = {"version": "1.2", "host": "h1", "path": "api!a", "subtree": {"b": {}}}
    clock.now += 10
    assert table.record_description("a", description)
    assert heard(table).description == description
    assert (heard(table).last_seen_at, heard(table).version) == (clock.now, "1.2")
    assert table.state("a") is State.UP


def test_a_description_of_an_unknown_neighbor_is_not_recorded(table: NeighborTable) -> None:
    assert table.record_description("stranger", {"version": "1.3"}) is False
    assert table.heard("stranger") is None


def test_a_silent_neighbor_has_no_version(table: NeighborTable) -> None:
    table.replace([row("a")])
    table.record("a", capabilities={"os": ["linux"]})
    assert heard(table).version is None


def test_the_lowest_version_of_the_recent_managers_counts(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    for host, version in (("h1", "1.3"), ("h2", "1.0"), ("h3", "1.2")):
        table.record_description("a", {"version": version, "host": host})
        clock.now += 1
    assert heard(table).version == "1.0"
    assert {host: version for host, (version, _) in heard(table).versions.items()} == {
        "h1": "1.3",
        "h2": "1.0",
        "h3": "1.2",
    }
    clock.now += MUTE_AFTER - 1
    table.record_description("a", {"version": "1.3", "host": "h1"})
    assert heard(table).version == "1.2"
    clock.now += 1
    table.record_description("a", {"version": "1.3", "host": "h1"})
    assert (heard(table).version, list(heard(table).versions)) == ("1.3", ["h1"])


def test_the_version_of_another_manager_is_recorded_alone(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    description = {"version": "1.3", "host": "h1", "path": "api!a"}
    table.record_description("a", description)
    seen_at = clock.now
    clock.now += 1
    table.record_version("a", {"version": "1.1", "host": "h2", "path": "elsewhere!a"})
    assert heard(table).version == "1.1"
    # Only the answer to a ping to one manager carries the path of the cell and the time.
    assert (heard(table).description, heard(table).last_seen_at) == (description, seen_at)
    clock.now += 1
    table.record_version("a", {"version": "1.3", "host": "h2"})
    assert heard(table).version == "1.3"
    table.record_version("stranger", {"version": "1.3", "host": "h1"})
    assert table.heard("stranger") is None


@pytest.mark.parametrize("description", [{}, {"host": None}, {"host": ["x"], "version": {}}, {"version": "x" * 10_000}])
def test_a_description_without_host_or_version_counts_as_the_oldest(table: NeighborTable, description: Any) -> None:
    table.replace([row("a")])
    assert table.record_description("a", description)
    assert heard(table).version == "1.0"


def test_the_number_of_managers_of_a_neighbor_is_bounded(table: NeighborTable) -> None:
    table.replace([row("a")])
    for number in range(5 * MAX_MANAGERS):
        table.record_description("a", {"version": "1.1", "host": f"{number}" * 1000})
    assert len(heard(table).versions) <= MAX_MANAGERS
    assert all(len(host) <= MAX_NAME_LENGTH for host in heard(table).versions)
    assert heard(table).version == "1.1"


def test_a_neighbor_is_silent_with_and_without_its_broker(table: NeighborTable, clock: Clock) -> None:
    table.replace([row("a")])
    table.record("a")
    table.record_delivery("a", is_reachable=False)
    clock.now += MUTE_AFTER
    assert not table.is_silent("a")
    clock.now += 1
    assert table.is_silent("a")
    assert table.state("a") is State.UNREACHABLE
    assert not table.is_silent("stranger")


def test_the_revision_grows_with_each_change_that_the_cell_describes(table: NeighborTable) -> None:
    seen = [table.revision]
    changes: list[Callable[[], object]] = [
        lambda: table.replace([row("top", is_parent=True), row("a")]),
        lambda: table.record_description("a", {"path": "a", "subtree": {}}),
        lambda: table.record("a", has_no_ping=True),
        lambda: table.recall_paths({"top": "root!top"}),
        lambda: table.replace([row("a")]),
    ]
    for change in changes:
        change()
        seen.append(table.revision)
    assert seen == sorted(set(seen))


def test_a_message_without_values_changes_no_revision(table: NeighborTable) -> None:
    table.replace([row("a")])
    before = table.revision
    table.record("a")
    table.record_request("a")
    table.record("unknown", has_no_ping=True)
    assert table.revision == before


@each(
    ("name", "other", "expected"),
    [
        ("orient", "orient", True),
        ("orient", "own-name", True),
        ("orient", "same-bus", True),
        ("orient", "other-bus", False),
        # A certificate proves the name of a neighbor with a direct link.
        ("direct", "direct", True),
        ("direct", "own-name", False),
        ("direct", "direct-too", False),
        ("orient", "direct-too", False),
        ("nobody", "own-name", False),
    ],
)
def test_names_that_a_neighbor_may_have_for_itself(name: str, other: str, expected: bool) -> None:
    table = NeighborTable(MUTE_AFTER, Clock())
    direct = {"driver": "direct", "url": ""}
    rows = [row("direct", **direct), row("direct-too", driver="direct")]
    table.replace([row("orient"), row("same-bus"), row("other-bus", url="memory://bus/y"), *rows])
    assert table.may_be(name, other) is expected


@pytest.mark.parametrize(
    ("row", "is_direct"),
    [
        # Without a certificate, too: one that is registered again has to be read soon.
        (Neighbor("edge", "", is_parent=False, driver="direct"), True),
        (Neighbor("edge", "rabbit://h/v", is_parent=False, also_accept="direct"), True),
        (Neighbor("edge", "rabbit://h/v", is_parent=False), False),
    ],
)
def test_neighbors_with_direct_links_are_known(row: Neighbor, is_direct: bool) -> None:
    assert Neighbors.of([row]).has_direct_links is is_direct
