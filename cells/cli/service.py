"""``cells service``: call services of other cells, as the library does for other services."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cells import context, exceptions
from cells.cli import arguments, base, value

if TYPE_CHECKING:
    from cells.rpc.call_context import CallContext

TARGET = ("topic", "exchange", "namespace", "version", "server")


class Call(value.ValueCommand):
    """Call a method of a service of another cell and print what it returns.

    The other cell must allow it with [cells] allowed_services.  "-f json" and "-f yaml"
    print the value itself.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, TOPIC, METHOD and its arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_service(parser)
        base.add_timeout(parser)
        return parser

    def value(self, parsed_args: argparse.Namespace) -> Any:
        with self.service(**_target(parsed_args)) as client:
            prepared = client.prepare(cell=parsed_args.cell)
            if parsed_args.timeout is not None:
                prepared = prepared.prepare(timeout=parsed_args.timeout)
            return _call(prepared, parsed_args)


class Cast(base.CellCommand):
    """Cast a method of a service of another cell, or of all its servers there.

    The status is 0 if the next cell on the way has it; of what comes after that nobody
    hears but the logs of the managers.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """CELL, TOPIC, METHOD and its arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_service(parser)
        parser.add_argument("--fanout", action="store_true", help="to all servers of the topic, not to one of them")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Called by cliff."""
        with self.service(**_target(parsed_args)) as client:
            prepared = client.prepare(cell=parsed_args.cell, fanout=parsed_args.fanout)
            prepared.cast(context.get_admin_context().to_dict(), parsed_args.method, **parsed_args.arguments)


def _call(prepared: CallContext, parsed_args: argparse.Namespace) -> Any:
    from cells import rpc  # noqa: PLC0415  # it takes longer to load than all else that a command does

    try:
        return prepared.call(context.get_admin_context().to_dict(), parsed_args.method, **parsed_args.arguments)
    except rpc.RemoteError as error:
        raise exceptions.RemoteError(error.message) from error
    except exceptions.CellsError:
        raise
    except Exception as error:  # whatever the service has raised; after the first line comes its traceback
        text = str(error).partition("\n")[0]
        raise exceptions.RemoteError(f"{type(error).__name__}: {text}") from error


def _add_service(parser: argparse.ArgumentParser) -> None:
    arguments.add_cell(parser)
    parser.add_argument("topic", metavar="TOPIC", help="the topic of the service")
    arguments.add_arguments(parser, "name of a method of that service")
    parser.add_argument("--exchange", help="the service's control_exchange, if it is not that of this cell's manager")
    parser.add_argument("--namespace", help="the namespace of the method")
    parser.add_argument("--version", help="the version that the server has to support")
    parser.add_argument("--server", help="the one server that is meant")


def _target(parsed_args: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(parsed_args, name) for name in TARGET}
