"""The faults: each is made, lasts, and is repaired before the function returns.

Each function of this module returns a fault, a function of the tree.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from drills.tree import START_TIMEOUT_SECONDS, Tree
from tools.broker_node import BrokerNode

Fault = Callable[[Tree], None]

#: Time between the end of a manager and its next start.
DOWN_SECONDS = 5.0


def nothing(seconds: float = 0.0) -> Fault:
    """No fault."""
    return lambda tree: time.sleep(seconds)  # noqa: ARG005


def kill9(host: str) -> Fault:
    """The manager is killed, and started again."""

    def fault(tree: Tree) -> None:
        tree.managers[host].kill9()
        _restart_later(tree, host)

    return fault


def sigterm(host: str) -> Fault:
    """The manager is stopped like by a supervisor, and started again."""

    def fault(tree: Tree) -> None:
        tree.managers[host].terminate()
        _restart_later(tree, host)

    return fault


def frozen(host: str, seconds: float) -> Fault:
    """The manager is suspended, and continued."""
    return _for_a_while(
        seconds,
        lambda tree: tree.managers[host].signal(signal.SIGSTOP),
        lambda tree: tree.managers[host].signal(signal.SIGCONT),
    )


def frozen_then_kill9(host: str, seconds: float) -> Fault:
    """The manager is suspended, killed, and started again."""

    def fault(tree: Tree) -> None:
        tree.managers[host].signal(signal.SIGSTOP)
        time.sleep(seconds)
        tree.managers[host].kill9()
        _restart_later(tree, host)

    return fault


def broker_restarted(tree: Tree) -> None:
    """The broker of ``east`` is stopped in an orderly way, and started again."""
    tree.stop_broker_of_east()
    tree.start_broker_of_east()


def power_cycle(tree: Tree) -> None:
    """The manager of ``east`` is stopped, then its broker is restarted, then the manager is started."""
    tree.managers["east"].terminate()
    time.sleep(DOWN_SECONDS)
    broker_restarted(tree)
    _start(tree, "east")


def link_cut(seconds: float) -> Fault:
    """All connections between ``api`` and ``east`` break, and new ones are refused."""
    return _for_a_while(seconds, lambda tree: tree.link.cut(), lambda tree: tree.link.restore())


def link_stalled(seconds: float) -> Fault:
    """The connections between ``api`` and ``east`` stay, but no byte passes."""
    return _for_a_while(seconds, lambda tree: tree.link.stall(), lambda tree: tree.link.resume())


def connections_closed(broker: Callable[[Tree], BrokerNode], name: str) -> Fault:
    """A broker closes all connections of a virtual host."""

    def fault(tree: Tree) -> None:
        broker(tree).control("close_all_connections", "--vhost", name, "drill")

    return fault


def database_cut(seconds: float) -> Fault:
    """The database of ``east`` is away."""
    return _for_a_while(seconds, lambda tree: tree.database.cut(), lambda tree: tree.database.restore())


def start_without_database(seconds: float) -> Fault:
    """The manager of ``east`` is restarted while its database is away."""

    def fault(tree: Tree) -> None:
        tree.database.cut()
        tree.managers["east"].terminate()
        tree.start_manager("east")
        time.sleep(seconds)
        tree.database.restore()
        tree.managers["east"].wait_ready(START_TIMEOUT_SECONDS)

    return fault


def service_kill9(cell: str) -> Fault:
    """The service of a cell is killed, and started again."""

    def fault(tree: Tree) -> None:
        tree.kill_service(cell)
        time.sleep(1)
        tree.start_service(cell)

    return fault


def _for_a_while(seconds: float, begin: Fault, end: Fault) -> Fault:
    def fault(tree: Tree) -> None:
        begin(tree)
        time.sleep(seconds)
        end(tree)

    return fault


def _restart_later(tree: Tree, host: str) -> None:
    time.sleep(DOWN_SECONDS)
    _start(tree, host)


def _start(tree: Tree, host: str) -> None:
    tree.start_manager(host)
    tree.managers[host].wait_ready(START_TIMEOUT_SECONDS)
