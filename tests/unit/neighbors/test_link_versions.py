"""The version of a link, the lowest of its caps and of the announced version, and the reason for it."""

from __future__ import annotations

import itertools

from cells.neighbors import NeighborTable, State
from cells.neighbors.link_versions import LinkVersion, LinkVersions
from cells.neighbors.neighbor import Neighbor
from cells.versions import AUTO, CURRENT, HISTORY, OLDEST
from tests.cases import each

MUTE_AFTER = 300.0
VERSIONS = list(HISTORY)


class Place:
    """Cell with its neighbor east and a clock."""

    def __init__(self, global_cap: str | None = None, neighbor_cap: str | None = None) -> None:
        self.now = 1000.0
        self.row = Neighbor("east", "memory://bus/east", is_parent=False, version_cap=neighbor_cap)
        self.table = NeighborTable(MUTE_AFTER, lambda: self.now)
        self.table.replace([self.row])
        self.versions = LinkVersions(self.table, global_cap)

    def announce(self, version: object, host: str = "east-1") -> None:
        assert self.table.record_description("east", {"version": version, "host": host})

    @property
    def spoken(self) -> str:
        return self.versions.toward(self.row)

    @property
    def link(self) -> LinkVersion:
        return self.versions.explain(self.row)


def explained(global_cap: str | None, neighbor_cap: str | None, announced: str | None) -> LinkVersion:
    place = Place(global_cap, neighbor_cap)
    if announced is not None:
        place.announce(announced)
    assert place.spoken == place.link.spoken
    return place.link


Text = str | None
GLOBAL, OWN = "[upgrade_levels] intercell = {}", "the cap of neighbor east, {}"
UNREADABLE = OWN + ", cannot be read and counts as 1.0"
OLD, UNSAID = "east reads no more than {}: upgrade it first", "east has not announced its version yet"


@each(
    ("global_cap", "neighbor_cap", "announced", "spoken", "can_be_raised", "reason"),
    [
        # Without a cap: the announced version, and the oldest version until an announcement.
        (None, None, None, "1.0", False, UNSAID),
        (None, None, "1.0", "1.0", False, OLD.format("1.0")),
        (None, None, "1.2", "1.2", False, OLD.format("1.2")),
        (None, None, "1.4", "1.4", False, ""),
        # A cap for all neighbors.
        ("1.0", None, "1.4", "1.0", True, GLOBAL.format("1.0") + "; east reads 1.4"),
        ("1.2", None, "1.4", "1.2", True, GLOBAL.format("1.2") + "; east reads 1.4"),
        ("1.2", None, "1.1", "1.1", False, OLD.format("1.1")),
        ("1.1", None, "1.1", "1.1", False, OLD.format("1.1")),
        ("1.4", None, "1.4", "1.4", False, ""),
        # The cap applies without an announcement, too.
        ("1.0", None, None, "1.0", False, UNSAID),
        ("1.2", None, None, "1.2", False, UNSAID),
        ("1.4", None, None, "1.4", False, ""),
        # A cap for this neighbor, with and without a cap for all.
        (None, "1.1", "1.4", "1.1", True, OWN.format("1.1") + "; east reads 1.4"),
        (None, "stein", "1.4", "1.0", True, OWN.format("stein") + "; east reads 1.4"),
        (None, "1.4", "1.1", "1.1", False, OLD.format("1.1")),
        ("1.2", "1.1", "1.4", "1.1", True, OWN.format("1.1") + "; east reads 1.4"),
        ("1.1", "1.2", "1.4", "1.1", True, GLOBAL.format("1.1") + "; east reads 1.4"),
        ("1.1", "1.1", "1.4", "1.1", True, f"{GLOBAL.format('1.1')} and {OWN.format('1.1')}; east reads 1.4"),
        ("1.4", "1.2", "1.1", "1.1", False, OLD.format("1.1")),
        ("1.2", "1.1", None, "1.1", False, UNSAID),
        ("1.2", "1.4", None, "1.2", False, UNSAID),
        # If one cap is auto, the link stays at the oldest version until the neighbor announces its version.
        (None, "1.2", None, "1.0", False, UNSAID),
        ("1.2", "auto", None, "1.0", False, UNSAID),
        ("1.2", "auto", "1.4", "1.2", True, GLOBAL.format("1.2") + "; east reads 1.4"),
        (None, "auto", "1.2", "1.2", False, OLD.format("1.2")),
        (None, "auto", None, "1.0", False, UNSAID),
        # An unreadable cap, of a newer release or written by hand: the version that every cell reads.
        (None, "2.7", "1.4", "1.0", True, UNREADABLE.format("2.7") + "; east reads 1.4"),
        (None, "2.7", "1.0", "1.0", False, UNREADABLE.format("2.7") + "; " + OLD.format("1.0")),
        ("1.0", "2.7", "1.4", "1.0", True, f"{UNREADABLE.format('2.7')}; {GLOBAL.format('1.0')}; east reads 1.4"),
        ("1.2", "nonsense", None, "1.0", False, f"{UNREADABLE.format('nonsense')}; {UNSAID}"),
        ("1.2", "", "1.4", "1.0", True, UNREADABLE.format("") + "; east reads 1.4"),
    ],
)
def test_the_lowest_version_counts(
    global_cap: Text, neighbor_cap: Text, announced: Text, spoken: str, can_be_raised: bool, reason: str
) -> None:
    assert explained(global_cap, neighbor_cap, announced) == LinkVersion(
        spoken=spoken,
        announced=announced,
        global_cap=global_cap or AUTO,
        neighbor_cap=neighbor_cap,
        can_be_raised=can_be_raised,
        reason=reason,
    )


@each(
    ("global_cap", "neighbor_cap", "announced"),
    list(itertools.product([None, *VERSIONS], [None, AUTO, *VERSIONS], VERSIONS)),
)
def test_the_version_never_exceeds_a_cap_or_the_announcement(
    global_cap: str | None, neighbor_cap: str | None, announced: str
) -> None:
    link = explained(global_cap, neighbor_cap, announced)
    allowed = [VERSIONS.index(cap) for cap in (global_cap, neighbor_cap, announced) if cap not in (None, AUTO)]
    assert VERSIONS.index(link.spoken) == min(allowed)
    assert link.can_be_raised is (link.spoken != announced)
    assert (link.reason == "") is (link.spoken == CURRENT)


@each(("announced", "spoken"), [("1.99", CURRENT), ("2.0", OLDEST), (None, OLDEST), ({}, OLDEST), ("1.1", "1.1")])
def test_an_unknown_announced_version_counts_as_a_known_one(announced: object, spoken: str) -> None:
    place = Place()
    place.announce(announced)
    assert (place.spoken, place.link.announced) == (spoken, spoken)


def test_an_upgrade_or_downgrade_takes_effect_at_once() -> None:
    place = Place()
    spoken = []
    for version in ("1.1", "1.4", "1.0", "1.2"):
        place.announce(version)
        spoken.append(place.spoken)
    assert spoken == ["1.1", "1.4", "1.0", "1.2"]


def test_of_several_managers_the_oldest_counts() -> None:
    place = Place()
    for host, version, spoken in (("a", "1.4", "1.4"), ("b", "1.1", "1.1"), ("a", "1.4", "1.1"), ("b", "1.4", "1.4")):
        place.announce(version, host)
        assert place.spoken == spoken


def test_a_manager_that_is_gone_counts_until_the_mute_interval_has_passed() -> None:
    place = Place()
    place.announce("1.1", "old")
    place.now += MUTE_AFTER / 2
    place.announce("1.4", "new")
    assert place.spoken == "1.1"
    place.now += MUTE_AFTER / 2
    place.announce("1.4", "new")
    assert place.spoken == "1.1"
    place.now += 1
    place.announce("1.4", "new")
    assert place.spoken == "1.4"


def test_a_link_to_a_silent_neighbor_has_the_oldest_version_until_a_message() -> None:
    place = Place()
    place.announce("1.4")
    place.now += MUTE_AFTER
    assert place.spoken == "1.4"
    place.now += 1
    assert place.table.state("east") is State.MUTE
    assert (place.spoken, place.link.announced) == (OLDEST, None)
    assert place.link.reason == "east has not announced its version for too long"
    assert not place.link.can_be_raised
    place.announce("1.4")
    assert place.spoken == "1.4"


def test_a_link_to_a_neighbor_with_a_dead_broker_has_the_oldest_version() -> None:
    """The first message that gets through may reach an older release."""
    place = Place()
    place.announce("1.4")
    place.table.record_delivery("east", is_reachable=False)
    assert place.spoken == "1.4"
    place.now += MUTE_AFTER + 1
    assert place.table.state("east") is State.UNREACHABLE
    assert place.spoken == OLDEST


@each(("announced", "spoken"), [("1.0", "1.0"), ("1.1", "1.1"), ("1.2", "1.2"), ("1.4", "1.2")])
def test_silence_raises_no_version(announced: str, spoken: str) -> None:
    """A cap that names a version applies without an announcement, but never above an earlier announcement."""
    place = Place(global_cap="1.2")
    place.announce(announced)
    assert place.spoken == spoken
    place.now += MUTE_AFTER + 1
    assert place.spoken == place.link.spoken == spoken


def test_a_deleted_neighbor_counts_as_a_neighbor_without_announcement() -> None:
    place = Place()
    place.announce("1.4")
    place.table.replace([])
    assert place.spoken == OLDEST
    place.table.replace([place.row])
    assert place.spoken == OLDEST


def test_an_announcement_survives_a_change_of_the_row() -> None:
    place = Place()
    place.announce("1.4")
    place.table.replace([Neighbor("east", "memory://bus/moved", is_parent=False, version_cap="1.1")])
    assert place.spoken == "1.4"
    assert place.versions.toward(place.table.snapshot().children["east"]) == "1.1"
