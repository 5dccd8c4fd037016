"""Arguments of remote methods as words of a command line: ``name=text``, ``count:=3``, ``ids:=[1,2]``."""

from __future__ import annotations

import argparse
import json
from typing import Any, NoReturn

_NOTATION = "write name=text, or name:=JSON for anything but a text"


def add_cell(parser: argparse.ArgumentParser) -> None:
    """CELL."""
    parser.add_argument("cell", metavar="CELL", help="a name, if it is unique, or a path from the top: api!east!az1")


def add_arguments(
    parser: argparse.ArgumentParser, what: str = "name of an endpoint of that cell, for example ping"
) -> None:
    """METHOD and its arguments; ``what`` says what METHOD is."""
    parser.add_argument("method", metavar="METHOD", help=what)
    parser.add_argument(
        "arguments",
        metavar="NAME=TEXT|NAME:=JSON",
        nargs="*",
        type=argument,
        action=_Collect,
        default={},
        help="an argument of the method: a text after =, any JSON value after :=",
    )


def argument(word: str) -> tuple[str, Any]:
    """An argparse type: one argument as name and value."""
    name, equals, text = word.partition("=")
    is_json = name.endswith(":")
    name = name.removesuffix(":")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{word!r} is no argument: {_NOTATION}")
    if not is_json:
        return name, text
    try:
        return name, json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r:.80} is no JSON ({error}); a text in JSON has quotes of its own: {name}:='\"text\"'"
        ) from None


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"JSON has no {text}")


class _Collect(argparse.Action):
    """Makes one dict of the arguments."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        collected: dict[str, Any] = {}
        for name, value in values or ():
            if name in collected:
                parser.error(f"the argument {name!r} is given twice")
            collected[name] = value
        setattr(namespace, self.dest, collected)
