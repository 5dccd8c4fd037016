"""``cells service``: call services of other cells with the client of :mod:`cells.rpc`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cliff import lister

from cells import context, exceptions
from cells.cli import arguments, base, value

if TYPE_CHECKING:
    from cells.rpc.call_context import CallContext

_COLUMNS = (
    *("service", "caller", "calls", "casts", "failed", "timed_out", "unreachable", "refused", "last_seconds"),
    "seen_by",
)
TARGET = ("topic", "exchange", "namespace", "version", "server")


class Call(value.ValueCommand):
    """Call a method of a service of another cell and print its result.

    The other cell must allow the method with [cells] allowed_services.  "-f json" and "-f yaml"
    print the value itself.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_service(parser)
        base.add_timeout(parser)

    def value(self, parsed_args: argparse.Namespace) -> Any:
        with self.service(**_target(parsed_args)) as client:
            prepared = client.prepare(cell=parsed_args.cell)
            if parsed_args.timeout is not None:
                prepared = prepared.prepare(timeout=parsed_args.timeout)
            return _call(prepared, parsed_args)


class Cast(base.CellCommand):
    """Cast a method to a server of a service in another cell, or to all its servers.

    The exit status is 0 if the next cell on the route has the cast. Later failures appear only
    in the logs of the managers.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_service(parser)
        parser.add_argument(
            "--fanout", action="store_true", help="cast to all servers of the topic (default: one server)"
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Cast; called by cliff."""
        with self.service(**_target(parsed_args)) as client:
            prepared = client.prepare(cell=parsed_args.cell, fanout=parsed_args.fanout)
            prepared.cast(context.get_admin_context().to_dict(), parsed_args.method, **parsed_args.arguments)


class List(base.CellCommand, lister.Lister):
    """List the services of this cell that other cells use, with their callers.

    There is a line for each service and caller since the start of the manager ("seen_by"), and one for each pattern of
    [cells] allowed_services that nothing has used, which "service" then shows. "caller" is the neighbor that delivered
    the requests, or this cell. "timed_out" counts calls that the service did not answer in time, "failed" those that
    ended with an error of the service, "unreachable" those without a server, and "refused" the requests that no pattern
    allows.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        base.add_timeout(parser, base.FIRST_LOOK_SECONDS)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        """Return a row for each service and caller; called by cliff."""
        ctxt = context.get_admin_context()
        with self.manager(parsed_args.timeout) as manager:
            name = manager.status(ctxt)["name"]
            self.check_answers(name)
            # The manager answers by itself.
            found = manager.call(ctxt, name, "services", timeout=parsed_args.timeout)
        rows = [*found["uses"], *({"service": pattern} for pattern in found["unused"])]
        missing = "" if parsed_args.formatter == "table" else None
        return _COLUMNS, [
            tuple(missing if value is None else value for value in (*map(row.get, _COLUMNS[:-1]), found["seen_by"]))
            for row in rows
        ]


def _call(prepared: CallContext, parsed_args: argparse.Namespace) -> Any:
    from cells import rpc  # noqa: PLC0415  # it imports oslo.messaging, which is slow

    try:
        return prepared.call(context.get_admin_context().to_dict(), parsed_args.method, **parsed_args.arguments)
    except rpc.RemoteError as error:
        raise exceptions.RemoteError(error.message) from error
    except exceptions.CellsError:
        raise
    except Exception as error:  # any class that the service raised; its traceback follows the first line
        text = str(error).partition("\n")[0]
        raise exceptions.RemoteError(f"{type(error).__name__}: {text}") from error


def _add_service(parser: argparse.ArgumentParser) -> None:
    arguments.add_cell(parser)
    parser.add_argument("topic", metavar="TOPIC", help="topic of the service")
    arguments.add_method(parser, "name of a method of that service")
    parser.add_argument(
        "--exchange", help="control_exchange of the service (default: control_exchange of this cell's manager)"
    )
    parser.add_argument("--namespace", help="namespace of the method")
    parser.add_argument("--version", help="version that the server must support")
    parser.add_argument("--server", help="name of the only server to use (default: any server of the topic)")


def _target(parsed_args: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(parsed_args, name) for name in TARGET}
