"""Public names that users import, configure or call: a change of these lists breaks their code or configuration."""

from __future__ import annotations

import inspect
import re

import cells.brokerless.matchmaker
import cells.conf
import cells.endpoints
import cells.messages
import cells.rpc
import cells.rpcapi.api
import cells.scheduler
import cells.testing
from cells import exceptions
from cells.brokerless.matchmaker import HeartbeatMatchMakerBase, MatchMakerBase
from cells.drivers.base import BaseCellsDriver, DriverSettings
from cells.endpoints import services as service_endpoints
from cells.endpoints.base import mark_of
from cells.manager import CellsManager
from cells.manager.service_calls import ServiceCalls
from cells.rpc.call_context import CallContext
from cells.rpcapi import CellAnswer, CellsAPI
from cells.testing import CellTree, Link, TreeCell
from tests.cases import each

ERRORS = {
    name: found
    for name, found in vars(exceptions).items()
    if isinstance(found, type) and issubclass(found, exceptions.CellsError)
}


def words(text: str) -> list[str]:
    return text.split()


def methods(cls: type) -> list[str]:
    """Return the public methods and properties of a class and its bases."""
    return sorted(name for name in dir(cls) if not name.startswith("_"))


def keywords(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_message_types() -> None:
    """On the wire.  Responses come first, so that a manager receives them before it accepts requests."""
    assert cells.messages.MESSAGE_TYPES == ("response", "broadcast", "targeted")


def test_endpoints() -> None:
    assert cells.endpoints.__all__ == ["Call", "CellPicker", "Endpoints", "LocalCell", "endpoint"]
    assert keywords(cells.endpoints.endpoint) == ["function", "name", "accepts", "blocks", "callers"]
    parameters = {
        name: keywords(function)[1:] for name, function in vars(service_endpoints).items() if mark_of(function)
    }
    assert parameters == {
        "service_call": ["request", "time_left"],
        "service_call_any": ["requirements", "request", "time_left"],
        "service_cast": ["request"],
        "service_cast_any": ["requirements", "request", "time_left"],
        "service_event": ["request"],
    }


def test_scheduler() -> None:
    assert cells.scheduler.__all__ == words(
        "Candidate CellFilter CellRequirements CellWeigher Ranking Scheduler any_cell load"
    )
    assert keywords(cells.scheduler.any_cell) == ["requires", "size", "target", "different_from", "hints"]
    assert keywords(cells.scheduler.CellFilter.reject) == ["self", "candidate", "requirements"]
    assert keywords(cells.scheduler.CellWeigher.weigh) == ["self", "candidate", "requirements"]
    assert keywords(cells.scheduler.Candidate) == words(
        "name path is_self capabilities capacities state weight_offset weight_scale subtree other_paths"
    )


@each("module", [cells.endpoints, cells.rpc, cells.scheduler, cells.brokerless.matchmaker])
def test_public_names_exist_once_and_are_sorted(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert all(hasattr(module, name) for name in names)
    # Constants, then classes, then functions, as ruff sorts them.
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_options_by_group() -> None:
    assert {
        group or "DEFAULT": sorted(option.name for option in options) for group, options in cells.conf.list_opts()
    } == {
        "DEFAULT": ["host", "state_path"],
        "cells": words(
            "allowed_rpc_exception_modules allowed_services announce_interval call_timeout capabilities cells_config "
            "db_check_interval disabled_patches driver endpoint_threads exchange mailbox_migration mailbox_url "
            "management_url max_foreign_bytes max_foreign_calls max_foreign_seconds max_hop_count max_message_bytes "
            "max_open_links max_pending_calls max_waiting_casts mute_child_interval name probe_interval "
            "rpc_driver_queue_base send_queue_bytes send_queue_size send_timeout send_tracebacks service_threads topic"
        ),
        "cells_api": words("auth listen manager_timeout max_body_bytes threads tokens_file"),
        "cells_direct": words("ca certificate heartbeat key listen max_handshakes reconnect_wait"),
        "cells_metrics": ["listen"],
        "cells_scheduler": ["filters", "weighers", "weight_multipliers"],
        "oslo_messaging_zmq": words(
            "bind connect_timeout delivery_timeout ipc_dir keys_dir matchmaker matchmaker_connection "
            "matchmaker_heartbeat_freq matchmaker_heartbeat_ttl max_connections max_message_bytes "
            "neighbor_topics notification_backlog_size peer receive_queue_bytes receive_queue_size tcp_security"
        ),
        "upgrade_levels": ["cells", "intercell"],
    }


OPERATIONS = words(
    "broadcast_call broadcast_cast broadcast_stream call capabilities capacities cast check_consumers create_neighbor "
    "delete_neighbor locate neighbors report_capacities resources status topology trace update_neighbor"
)
#: Methods of the manager that the client calls one after the other for a stream of answers.
STREAM = ["broadcast_next", "broadcast_start", "broadcast_stop"]


def test_client_of_the_manager() -> None:
    assert methods(CellsAPI) == OPERATIONS
    assert keywords(CellsAPI)[:4] == ["transport", "topic", "version_cap", "timeout"]
    assert keywords(CellsAPI.call) == ["self", "ctxt", "cell", "method", "kwargs", "timeout"]
    assert keywords(CellsAPI.cast) == ["self", "ctxt", "cell", "method", "kwargs"]
    for broadcast in (CellsAPI.broadcast_call, CellsAPI.broadcast_stream):
        assert keywords(broadcast) == ["self", "ctxt", "method", "kwargs", "direction", "timeout", "run_locally"]
    assert keywords(CellsAPI.broadcast_cast) == ["self", "ctxt", "method", "kwargs", "direction", "run_locally"]
    assert keywords(CellsAPI.report_capacities) == ["self", "ctxt", "capacities", "reporter"]
    assert keywords(CellsAPI.trace) == ["self", "ctxt", "cell", "timeout"]
    assert keywords(CellAnswer) == ["cell", "value", "error"]


def test_manager_offers_what_its_client_calls() -> None:
    offered = [name for name in OPERATIONS if name != "broadcast_stream"]
    assert methods(CellsManager) == sorted([*offered, *STREAM, "cast_many", "links_down", "target"])
    # The client requires only the version that it needs, so that it can call a manager of an older release.
    api = cells.rpcapi.api
    checks = (cells.rpcapi.casts.VERSION, cells.rpcapi.way_checks.VERSION)
    later = (api.RESOURCES_VERSION, api.REGISTRATION_VERSION, api.PROOF_VERSION)
    needed = (api.VERSION, api.STREAMS_VERSION, *checks, *later)
    assert needed == ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
    assert CellsManager.target.version == needed[-1]


def test_drivers() -> None:
    needed = ["close", "close_link", "send_message_to_cell", "start_servers", "stop_servers"]
    # A driver of another package that implements only these sends the messages of a batch one by one, stops all
    # servers at once, reaches no clients, and does not know the state of its links.
    others = words(
        "check_consumers link_status looked_at reaches_clients receivers reply_to_client send_messages_to_cell "
        "set_neighbors stop_taking wait_until_idle"
    )
    assert methods(BaseCellsDriver) == sorted([*needed, *others])
    assert BaseCellsDriver.__abstractmethods__ == {*needed, "__init__"}
    assert keywords(DriverSettings)[:4] == ["conf", "host", "transport_url", "message_types"]


def test_matchmakers() -> None:
    assert cells.brokerless.matchmaker.__all__ == words(
        "Binding DirectBinding DirectExchange Exchange FanoutBinding HeartbeatMatchMakerBase LocalhostExchange "
        "MatchMakerBase MatchMakerException MatchMakerLocalhost MatchMakerStub StubExchange TopicBinding load"
    )
    operations = words(
        "ack_alive add_binding expire is_alive queues register send_heartbeats start_heartbeat stop_heartbeat "
        "unregister"
    )
    assert methods(MatchMakerBase) == operations
    assert keywords(MatchMakerBase.add_binding) == ["self", "binding", "rule", "last"]
    assert [name for name in methods(HeartbeatMatchMakerBase) if name not in operations] == words(
        "backend_close backend_expire backend_heartbeat backend_hosts backend_purge backend_register backend_touch "
        "backend_unregister backend_withdraw"
    )


def test_rpc_library() -> None:
    assert cells.rpc.__all__ == words(
        "Answers ClientException CommonRpcContext Connection DuplicateMessageError InvalidRPCConnectionReuse "
        "MessageDeliveryFailure NumberedAnswers RPCClient RPCException RemoteError Timeout "
        "UnsupportedRpcEnvelopeVersion any_cell broadcast call cast cleanup client_exceptions create_connection "
        "current_context deserialize_msg fanout_cast get_rpc_client init multicall serialize_msg"
    )
    assert [name for name in keywords(cells.rpc.RPCClient) if not name.startswith("_")] == words(
        "transport target timeout version_cap serializer retry call_monitor_timeout transport_options"
    )
    assert keywords(cells.rpc.RPCClient.prepare)[1:] == words(
        "exchange topic namespace version server fanout timeout version_cap retry call_monitor_timeout "
        "transport_options cell cells need"
    )
    assert keywords(cells.rpc.RPCClient.prepare) == keywords(CallContext.prepare)
    assert methods(cells.rpc.Answers) == ["close"]
    assert keywords(cells.rpc.RemoteError) == ["exc_type", "value", "traceback"]
    assert methods(cells.rpc.CommonRpcContext) == ["deepcopy", "elevated", "from_dict", "to_dict", "update_store"]
    expected = words("close consume_in_thread create_consumer create_worker join_consumer_pool")
    assert set(methods(cells.rpc.Connection)) >= set(expected)
    assert keywords(cells.rpc.Connection.create_consumer)[:4] == ["self", "topic", "proxy", "fanout"]
    assert keywords(cells.rpc.Connection.create_worker)[:4] == ["self", "topic", "proxy", "pool_name"]
    assert keywords(cells.rpc.Connection.join_consumer_pool)[:5] == words("self callback pool_name topic exchange_name")


def test_operations_of_the_manager_for_the_rpc_library() -> None:
    """Clients and managers of different releases call each other: a new argument needs a default."""
    assert {name: keywords(getattr(ServiceCalls, name))[1:] for name in methods(ServiceCalls) if name != "target"} == {
        "broadcast": ["ctxt", "request", "cells", "what"],
        "call": ["ctxt", "request", "timeout", "cell", "message_id"],
        "cast": ["ctxt", "request", "timeout", "cell", "message_id"],
        "multicall_next": ["ctxt", "multicall_id"],
        "multicall_start": ["ctxt", "request", "cells", "timeout"],
        "multicall_stop": ["ctxt", "multicall_id"],
    }
    assert (ServiceCalls.target.namespace, ServiceCalls.target.version) == ("services", "1.0")


def test_testing_package() -> None:
    assert cells.testing.__all__ == ["CellTree", "Link", "TreeCell"]


def test_testing_tree() -> None:
    assert methods(CellTree) == ["cell_class", "link", "start", "stop", "wait_until_known"]
    assert keywords(CellTree) == words("shape endpoints options cell_options managers exception_modules services links")


def test_testing_cell() -> None:
    assert methods(TreeCell) == words("client close serve start stop stop_services transport transport_url")
    assert keywords(TreeCell.serve) == ["self", "topic", "endpoints", "server", "serializer"]
    assert keywords(TreeCell.client) == ["self", "topic", "namespace", "version", "options"]


def test_testing_link() -> None:
    assert methods(Link) == ["cut", "delay", "drop", "duplicate", "restore", "toward"]


def drawn_tree() -> list[tuple[int, str]]:
    """Return depth and name of each class in the tree of the docstring."""
    lines = inspect.getdoc(exceptions).split("::\n\n", 1)[1].split("\n\n")[0].splitlines()  # type: ignore[union-attr]
    found = [re.match(r"    ([│├└─ ]*)(\w+)", line) for line in lines]
    return [(len(match[1]) // 4, match[2]) for match in found if match]


def test_the_tree_of_the_docstring_shows_every_error() -> None:
    drawn, above = {}, ["Exception"]
    for depth, name in drawn_tree():
        del above[depth + 1 :]
        drawn[name] = above[-1]
        above.append(name)
    assert drawn == {name: cls.__mro__[1].__name__ for name, cls in ERRORS.items()}
    assert len(drawn) == len(drawn_tree())


@each("cls", ERRORS.values(), ids=list(ERRORS))
def test_every_docstring_of_an_error_says_when_it_is_raised(cls: type[exceptions.CellsError]) -> None:
    assert cls.__doc__
    assert re.match(r"Raised (when|for) |Base of ", cls.__doc__)
