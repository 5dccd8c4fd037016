"""Picker: the candidates that it ranks, its messages to children, and its use of their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import pytest

from cells import exceptions
from cells.conf import scheduler as options
from cells.counters import Counters
from cells.manager.message_factory import OutgoingMessages
from cells.manager.picker import Picker
from cells.messages import Response, TargetedMessage
from cells.neighbors import Direction, NeighborTable, State
from cells.neighbors.neighbor import Neighbor
from cells.neighbors.resources import Resources
from cells.neighbors.topology import Topology
from cells.path import CellPath
from cells.routing.reply import Reply
from cells.routing.waiting_call import Monitor
from cells.scheduler import Candidate, CellFilter, CellRequirements, Scheduler, any_cell, load
from cells.services.request import ServiceRequest
from tests.cases import each

DEFAULTS = {option.name: option.default for option in options.OPTIONS}
REQUEST = ServiceRequest(topic="inventory", method="count", args={"kind": "disk"})
MONITORED = ServiceRequest(topic="inventory", method="count", monitor_seconds=3.0)
CONTEXT = {"user_id": "ada"}
YES = {"result": 42}


class Network:
    """Stands for a router: keeps the messages until the test answers them."""

    def __init__(self) -> None:
        self.sent: list[tuple[TargetedMessage, float, Monitor | None]] = []
        self.answers: list[futures.Future[Reply]] = []

    def send(
        self,
        message: TargetedMessage,
        timeout_seconds: float,
        *,
        is_own: bool = False,
        is_budgeted: bool = False,
        monitor: Monitor | None = None,
    ) -> futures.Future[Reply]:
        assert not is_own
        self.sent.append((message, timeout_seconds, monitor))
        self.answers.append(futures.Future())
        return self.answers[-1]

    @property
    def asked(self) -> list[str]:
        """The children that got a message, in order."""
        return [message.header.target.last for message, _, _ in self.sent]

    def answer(self, value: Any = None, error: Exception | None = None) -> None:
        """Answer the last message."""
        self.answers[-1].set_result(Reply(responses=(Response("api!child", value, error).encoded(),)))


class Services:
    """Stands for the services of this cell: records requests and returns ``answer``."""

    def __init__(self) -> None:
        self.calls: list[tuple[ServiceRequest, Any, float, bool]] = []
        self.casts: list[tuple[ServiceRequest, Any, bool]] = []
        self.heartbeats: list[Callable[[], object] | None] = []
        self.refusal: Exception | None = None
        self.answer: futures.Future[Any] = futures.Future()

    def call(
        self,
        request: ServiceRequest,
        context: Any,
        timeout_seconds: float,
        *,
        neighbor: str,
        still_working: Callable[[], object] | None,
    ) -> futures.Future[Any]:
        if self.refusal is not None:
            raise self.refusal
        self.calls.append((request, context, timeout_seconds, neighbor))
        self.heartbeats.append(still_working)
        return self.answer

    def cast(self, request: ServiceRequest, context: Any, *, neighbor: str) -> futures.Future[Any]:
        if self.refusal is not None:
            raise self.refusal
        self.casts.append((request, context, neighbor))
        return self.answer


class Seen(CellFilter):
    """Records the candidates and rejects none."""

    def __init__(self) -> None:
        super().__init__("seen")
        self.candidates: dict[str, Candidate] = {}

    def reject(self, candidate: Candidate, requirements: CellRequirements) -> None:
        self.candidates[candidate.name] = candidate


class Place:
    """The cell east, below api, with children; the picker is real, the parts around it are fakes."""

    def __init__(self, *children: str, parents: Sequence[str] = ("api",), **settings: Any) -> None:
        self.now = 100.0
        self.table = NeighborTable(300.0, lambda: self.now)
        rows = [Neighbor(parent, f"memory://x/{parent}", is_parent=True, driver="memory") for parent in parents]
        # The one that comes first is preferred.
        for offset, name in enumerate(reversed(children)):
            url = f"memory://x/{name}"
            rows.append(Neighbor(name, url, is_parent=False, driver="memory", weight_offset=offset + 1.0))
        self.table.replace(rows)
        self.resources = Resources(settings.pop("capabilities", {}), self.table, 300.0)
        self.network, self.services, self.counters = Network(), Services(), Counters()
        topology = Topology("east", self.table)
        max_hop_count = settings.pop("max_hop_count", 10)
        self.picker = Picker(
            table=self.table,
            topology=topology,
            resources=self.resources,
            router=self.network,  # type: ignore[arg-type]
            outgoing=OutgoingMessages(
                topology=topology, table=self.table, counters=self.counters, max_hop_count=max_hop_count
            ),
            services=self.services,  # type: ignore[arg-type]
            scheduler=settings.pop("scheduler", None) or load(DEFAULTS["filters"], DEFAULTS["weighers"], {}),
            counters=self.counters,
            clock=lambda: self.now,
        )
        assert not settings

    def call(self, requirements: CellRequirements | None = None, **options: Any) -> futures.Future[Any]:
        request = options.pop("request", REQUEST)
        arguments = {"neighbor": "", "context": CONTEXT, "timeout_seconds": 10.0, **options}
        return self.picker.run("call", requirements or any_cell(), request, **arguments)

    def cast(self, requirements: CellRequirements | None = None) -> futures.Future[Any]:
        return self.picker.run(
            "cast", requirements or any_cell(), REQUEST, context=CONTEXT, timeout_seconds=10.0, neighbor="top"
        )


def reasons(answer: futures.Future[Any]) -> dict[str, str]:
    with pytest.raises(exceptions.NoCellsAvailable) as caught:
        answer.result(0)
    return dict(caught.value.reasons or {})


@pytest.mark.parametrize("neighbor", ["top", ""])
def test_a_call_in_this_cell(neighbor: str) -> None:
    def heartbeat() -> None:
        """Do nothing."""

    place = Place()
    answer = place.call(neighbor=neighbor, still_working=heartbeat)
    assert not answer.done()
    place.services.answer.set_result(YES)
    assert answer.result(0) == YES
    assert place.services.calls == [(REQUEST, CONTEXT, 10.0, neighbor)]
    assert place.services.heartbeats == [heartbeat]
    assert place.counters.as_dict() == {"picked.self": 1}


def test_a_cast_in_this_cell() -> None:
    place = Place()
    answer = place.cast()
    assert not answer.done()
    place.services.answer.set_result(None)
    assert answer.result(0) == {"result": None}
    assert place.services.casts == [(REQUEST, CONTEXT, "top")]


@pytest.mark.parametrize("kind", ["call", "cast"])
def test_the_message_to_a_child(kind: str) -> None:
    place = Place("az1")
    required = any_cell({"hypervisor": "kvm"}, target="az1").passed_on_by("api")
    place.table.record("az1", capabilities={"hypervisor": ["kvm"]})
    answer = getattr(place, kind)(required)
    ((message, seconds, monitor),) = place.network.sent
    assert (message.method, seconds, monitor) == (f"service_{kind}_any", 10.0, None)
    assert (message.route, message.header.target) == (CellPath(["east"]), CellPath(["east", "az1"]))
    assert (message.header.direction, message.needs_response) == (Direction.DOWN, True)
    assert message.content().context == CONTEXT
    assert message.header.max_hop_count == 10
    kwargs = json.loads(message.sealed("1.0", 10_000).to_json())["method_kwargs"]
    assert CellRequirements.from_dict(kwargs["requirements"]) == required.passed_on_by("east")
    assert ServiceRequest.from_dict(kwargs["request"]) == REQUEST
    assert kwargs.keys() == {"requirements", "request", "time_left"}
    assert kwargs["time_left"] == 10.0
    place.network.answer(YES)
    assert answer.result(0) == YES
    assert place.counters.as_dict() == {"picked.child": 1}


def test_a_failure_of_the_service_is_an_answer() -> None:
    place = Place("az1", "az2")
    answer = place.call()
    place.network.answer({"failure": '{"class": "ValueError"}'})
    assert answer.result(0) == {"failure": '{"class": "ValueError"}'}
    assert place.network.asked == ["az1"]


def test_a_call_is_also_monitored_in_the_child() -> None:
    heartbeats: list[str] = []
    place = Place("az1")
    place.call(request=MONITORED, still_working=lambda: heartbeats.append("heartbeat"))
    ((message, _, monitor),) = place.network.sent
    assert monitor is not None
    assert monitor.silence_seconds == 3.0
    assert monitor.on_still_working is not None
    monitor.on_still_working()
    assert heartbeats == ["heartbeat"]
    assert ServiceRequest.from_dict(message.content().kwargs["request"]).monitor_seconds == 3.0


def test_the_next_best_cell_gets_the_remaining_seconds() -> None:
    place = Place("az1", "az2")
    answer = place.call()
    place.now += 4.0
    place.network.answer(error=exceptions.NeighborUnreachable("The broker is down."))
    assert place.network.asked == ["az1", "az2"]
    message, seconds, _ = place.network.sent[1]
    assert seconds == message.content().kwargs["time_left"] == 6.0
    assert message.id != place.network.sent[0][0].id
    place.now += 2.0
    place.network.answer(error=exceptions.UnknownMethod("What is service_call_any?"))
    place.services.answer.set_result(YES)
    assert answer.result(0) == YES
    assert place.services.calls == [(REQUEST, CONTEXT, 4.0, "")]
    passed_over = dict.fromkeys(("passed_over.NeighborUnreachable", "passed_over.UnknownMethod"), 1)
    assert place.counters.as_dict() == {**passed_over, "picked.self": 1}


@each("kind", ["call", "cast"])
@each("error", [exceptions.CellTimeout("Silent."), exceptions.InvalidArguments("What?"), ValueError("a bug")], ids=repr)
def test_a_request_that_may_have_run_is_not_tried_elsewhere(kind: str, error: Exception) -> None:
    place = Place("az1", "az2")
    answer = getattr(place, kind)()
    place.network.answer(error=error)
    found = answer.exception(0)
    assert isinstance(found, type(error) if isinstance(error, exceptions.CellsError) else exceptions.RemoteError)
    assert place.network.asked == ["az1"]
    assert (place.services.calls, place.services.casts) == ([], [])


@each("texts", [[], ["no JSON"], [Response("x", "no answer").to_json()], ["{}", "{}"]])
def test_a_malformed_answer_is_an_error(texts: list[str]) -> None:
    place = Place("az1", "az2")
    answer = place.call()
    place.network.answers[-1].set_result(Reply.from_wire(texts))
    with pytest.raises(exceptions.MalformedMessage):
        answer.result(0)
    assert place.network.asked == ["az1"]


@pytest.mark.parametrize("kind", ["call", "cast"])
def test_a_child_may_allow_a_service_that_this_cell_refuses(kind: str) -> None:
    place = Place("az1")
    place.services.refusal = exceptions.ServiceNotAllowed("Not here.")
    place.table.record_delivery("az1", is_reachable=False)  # so this cell comes first
    answer = getattr(place, kind)()
    assert place.network.asked == ["az1"]
    place.network.answer(YES)
    assert answer.result(0) == YES


def test_if_all_cells_refuse_the_error_has_their_reasons() -> None:
    place = Place("az1", "az2", "az3", capabilities={"hypervisor": ["xen"]})
    for name in ("az1", "az2"):
        place.table.record(name, capabilities={"hypervisor": ["kvm"]})
    answer = place.call(any_cell({"hypervisor": "kvm"}))
    below = {"api!east!az1": "it announces no hypervisor, not kvm", "api!east!az1!rack": "it is excluded"}
    place.network.answer(error=exceptions.NoCellsAvailable("None.", reasons=below))
    place.network.answer(error=exceptions.NeighborUnreachable("The broker of az2 is down."))
    assert place.network.asked == ["az1", "az2"]
    assert reasons(answer) == {
        **below,
        "api!east": "it announces hypervisor xen, not kvm",
        "api!east!az2": "The broker of az2 is down.",
        "api!east!az3": "it announces no hypervisor, not kvm",
    }
    with pytest.raises(exceptions.NoCellsAvailable, match=r"inventory:count.*api!east"):
        answer.result(0)


def test_this_cell_is_ranked_by_its_own_reports() -> None:
    seen = Seen()
    place = Place("az1", parents=("api", "west"), capabilities={"os": ["linux"]}, scheduler=Scheduler([seen], []))
    place.table.record("az1", capabilities={"os": ["bsd"]}, capacities={"ram_mb": 100})
    place.resources.report("one", {"ram_mb": 2})
    place.resources.report("two", {"ram_mb": 3})
    place.call()
    east = seen.candidates["east"]
    assert (east.is_self, east.state) == (True, State.UP)
    assert [str(path) for path in east.paths] == ["api!east", "west!east"]
    assert (east.capabilities, east.capacities, east.subtree) == ({"os": ["linux"]}, {"ram_mb": 5}, {})
    assert (east.weight_offset, east.weight_scale) == (0.0, 1.0)


def test_a_child_is_ranked_by_its_announcements() -> None:
    seen = Seen()
    place = Place("az1", "az2", parents=("api", "west"), scheduler=Scheduler([seen], []))
    place.table.record(
        "az1",
        capabilities={"os": ["bsd"]},
        capacities={"ram_mb": 100},
        description={"path": "api!east!az1", "subtree": {"rack": {"shelf": {}}}},
    )
    place.now += 301.0
    place.table.record_delivery("az2", is_reachable=False)
    place.call()
    assert list(seen.candidates) == ["east", "az1", "az2"]
    az1, az2 = seen.candidates["az1"], seen.candidates["az2"]
    assert [str(path) for path in az1.paths] == ["api!east!az1", "west!east!az1"]
    assert (az1.capabilities, az1.capacities) == ({"os": ["bsd"]}, {"ram_mb": 100})
    assert (az1.is_self, az1.state, az1.subtree) == (False, State.MUTE, {"rack": {"shelf": {}}})
    assert (az1.weight_offset, az2.weight_offset) == (2.0, 1.0)
    assert (az2.state, az2.capabilities, az2.capacities, az2.subtree) == (State.UNREACHABLE, {}, {}, {})


def test_parents_are_never_picked() -> None:
    place = Place(parents=("api", "west"))
    place.services.refusal = exceptions.ServiceNotAllowed("Not here.")
    assert reasons(place.call()) == {"api!east": "Not here."}
    assert place.network.sent == []


def test_cells_on_the_route_are_not_asked_again() -> None:
    place = Place("api", "az1", parents=())
    place.services.refusal = exceptions.ServiceNotAllowed("Not here.")
    answer = place.call(any_cell().passed_on_by("api"))
    assert place.network.asked == ["az1"]
    place.network.answer(error=exceptions.ManagerBusy("Busy."))
    assert reasons(answer) == {
        "east": "Not here.",
        "east!az1": "Busy.",
        "east!api": "it has forwarded this request itself: cells are registered in a circle",
    }


@pytest.mark.parametrize(("walked", "is_too_far"), [(["a", "b"], False), (["a", "b", "c"], True)])
def test_children_beyond_the_maximum_hop_count_are_not_asked(walked: list[str], is_too_far: bool) -> None:
    place = Place("az1", max_hop_count=4)
    place.services.refusal = exceptions.ServiceNotAllowed("Not here.")
    required = any_cell()
    for name in walked:
        required = required.passed_on_by(name)
    answer = place.call(required)
    assert place.network.asked == ([] if is_too_far else ["az1"])
    assert answer.done() is is_too_far
    if is_too_far:
        assert reasons(answer)["api!east!az1"] == "it is further away than [cells] max_hop_count"


def test_arguments_without_a_json_form_are_an_error_of_the_caller() -> None:
    place = Place("az1")
    answer = place.call(request=ServiceRequest(topic="inventory", method="count", args={"kind": float("nan")}))
    with pytest.raises(exceptions.InvalidArguments, match="JSON"):
        answer.result(0)
    assert place.network.sent == []
    assert place.services.calls == []
