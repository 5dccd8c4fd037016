"""What the managers of a cell know about each other's connections."""

from __future__ import annotations

from cells.drivers.direct.siblings import INTERVAL_SECONDS, Siblings


def siblings(own: str = "api-2", **links: list[str]) -> Siblings:
    """Return the knowledge of a manager: other manager -> managers of the neighbor east with a connection."""
    made = Siblings(own)
    for host, hosts in links.items():
        made.hear(host.replace("_", "-"), "1", {"east": hosts}, now=0.0)
    return made


def test_a_cell_with_one_manager_has_none() -> None:
    found = siblings()
    assert found.hosts == ()
    assert found.choose("east") == ""
    assert found.recipients("east", "east-1") == ()


def test_only_managers_with_a_connection_are_chosen_and_the_same_one_each_time() -> None:
    found = siblings(api_1=[], api_3=["east-1"], api_4=["east-2"])
    assert found.through("east") == ("api-3", "api-4")
    assert len({found.choose("east") for _ in range(10)}) == 1
    assert found.choose("west") == ""
    assert found.reached("east") == {"east-1", "east-2"}


def test_different_neighbors_get_different_managers() -> None:
    found = Siblings("api-2")
    names = [f"east{number}" for number in range(100)]
    for host in ("api-1", "api-3"):
        found.hear(host, "1", {name: ["host"] for name in names}, now=0.0)
    assert {found.choose(name) for name in names} == {"api-1", "api-3"}


def test_the_first_tale_of_a_process_is_new() -> None:
    found = Siblings("api-2")
    assert found.hear("api-1", "first", {}, now=0.0)
    assert not found.hear("api-1", "first", {}, now=1.0)
    assert found.hear("api-1", "second", {}, now=2.0)


def test_a_manager_that_stops_or_is_silent_is_forgotten() -> None:
    found = siblings(api_1=["east-1"], api_3=["east-1"])
    found.hear("api-1", "0", None, now=1.0)
    assert found.hosts == ("api-1", "api-3"), "an older process of that host has stopped"
    found.hear("api-1", "1", None, now=1.0)
    assert found.hosts == ("api-3",)
    found.hear("api-4", "1", {}, now=INTERVAL_SECONDS)
    found.expire(3 * INTERVAL_SECONDS)
    assert found.hosts == ("api-4",)


def test_a_connection_that_has_failed_counts_again_when_it_is_told() -> None:
    found = siblings(api_1=["east-1"])
    found.forget("api-1", "east")
    found.forget("api-9", "east")
    assert found.choose("east") == ""
    assert not found.hear("api-1", "1", {"east": ["east-1"]}, now=1.0)
    assert found.choose("east") == "api-1"


def test_one_manager_hands_over_the_copies_of_a_fanout() -> None:
    links = {"api-1": ["east-1"], "api-2": ["east-1", "east-2"], "api-3": ["east-2"], "api-4": []}
    handed: dict[str, list[tuple[str, str]]] = {"east-1": [], "east-2": []}
    for own, own_hosts in links.items():
        found = Siblings(own)
        for host, hosts in links.items():
            if host != own:
                found.hear(host, "1", {"east": hosts}, now=0.0)
        for sender, copies in handed.items():
            if sender in own_hosts:
                copies += [(own, host) for host in found.recipients("east", sender)]
    assert handed == {
        "east-1": [("api-1", "api-3"), ("api-1", "api-4")],
        "east-2": [("api-2", "api-1"), ("api-2", "api-4")],
    }


def test_a_manager_without_such_a_neighbor_needs_no_copy() -> None:
    found = siblings("api-1", api_2=["east-2"])
    found.hear("api-3", "1", {"west": []}, now=0.0)
    assert found.recipients("east", "east-1") == ("api-2",)
