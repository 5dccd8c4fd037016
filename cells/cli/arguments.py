"""Arguments of remote methods on a command line: ``name=text``, ``count:=3``, ``ids:=[1,2]``."""

from __future__ import annotations

import argparse
import json
from typing import Any, NoReturn

_NOTATION = "write name=text for a text, name:=JSON for any other value"


def add_cell(parser: argparse.ArgumentParser) -> None:
    """Add CELL."""
    parser.add_argument(
        "cell", metavar="CELL", help="name of the cell, if it is unique, or path from the top: api!east!az1"
    )


def add_method(
    parser: argparse.ArgumentParser, method_help: str = "name of an endpoint method of that cell, for example ping"
) -> None:
    """Add METHOD and its arguments."""
    parser.add_argument("method", metavar="METHOD", help=method_help)
    parser.add_argument(
        "arguments",
        metavar="NAME=TEXT|NAME:=JSON",
        nargs="*",
        type=argument,
        action=_Collect,
        default={},
        help="argument of the method: a text after =, a JSON value after :=",
    )


def argument(word: str) -> tuple[str, Any]:
    """Return one argument as name and value; an argparse type."""
    name, equals, text = word.partition("=")
    is_json = name.endswith(":")
    name = name.removesuffix(":")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{word!r} is not an argument: {_NOTATION}")
    if not is_json:
        return name, text
    try:
        return name, json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r:.80} is not JSON ({error}); a JSON text needs its own quotes: {name}:='\"text\"'"
        ) from None


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"JSON has no {text}")


class _Collect(argparse.Action):
    """Collector of the arguments into one dict."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        collected: dict[str, Any] = {}
        for name, value in values or ():
            if name in collected:
                parser.error(f"argument {name!r} is given twice")
            collected[name] = value
        setattr(namespace, self.dest, collected)
