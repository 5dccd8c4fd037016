"""Draw the pictures of the documentation: ``python -m tools.draw``, or ``--check`` to see whether they are up to date.

Each picture is an SVG file that Graphviz draws from the text beside it in ``doc/source/drawings``.  Both are
committed, because Graphviz is not on every machine that builds the documentation.  An SVG file names the SHA-256 of
its text, so that ``--check`` finds a stale picture without Graphviz.  The text of ``packages`` is made from the
imports themselves.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
TEXTS = ROOT / "doc" / "source" / "drawings"

PACKAGE = "cells"


def main() -> int:
    """Draw, or check; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.draw", description=__doc__)
    parser.add_argument("--check", action="store_true", help="draw nothing; fail if a picture is stale")
    is_check = parser.parse_args().check
    texts = {path.stem: path.read_text() for path in sorted(TEXTS.glob("*.dot"))}
    packages = _packages_text()
    if is_check:
        stale = [name for name, text in texts.items() if _mark(text) not in _picture(name)]
        if texts.get("packages") != packages:
            stale.append("packages: its text differs from the imports")
        if stale:
            print(f"Stale pictures: {', '.join(stale)}. Run: python -m tools.draw", file=sys.stderr)
        return 1 if stale else 0
    texts["packages"] = packages
    (TEXTS / "packages.dot").write_text(packages)
    for name, text in texts.items():
        # Arrows that follow from others hide the order of the packages: "tred" leaves them out.
        reduced = _run("tred", text) if name == "packages" else text
        drawn = _run("dot", "-Tsvg", reduced)
        head, _, body = drawn.partition("<svg ")
        TEXTS.joinpath(f"{name}.svg").write_text(f"{head}{_mark(text)}\n<svg {body}")
    return 0


def _picture(name: str) -> str:
    path = TEXTS / f"{name}.svg"
    return path.read_text() if path.exists() else ""


def _mark(text: str) -> str:
    return f"<!-- drawn from the text with SHA-256 {hashlib.sha256(text.encode()).hexdigest()} -->"


def _run(*command_and_text: str) -> str:
    *command, text = command_and_text
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: install Graphviz.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{command[0]}: {error.stderr}")


def _levels() -> list[list[str]]:
    """Return the lines of the import contract in setup.cfg, from top to bottom."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [[name.strip() for name in line.split("|")] for line in lines]


def _packages_text() -> str:
    return "\n".join(_package_lines()) + "\n"


def _package_lines() -> Iterator[str]:
    yield "digraph packages {"
    yield "  graph [ranksep=0.5 nodesep=0.25 newrank=true];"
    yield '  node [shape=box fontname="Helvetica" fontsize=11 height=0.3];'
    yield "  edge [arrowsize=0.6 color=gray40];"
    levels = _levels()
    for number, names in enumerate(levels, 1):
        yield f"  {{ rank=same; l{number} [label={number} shape=none]; {'; '.join(sorted(names))} }}"
    yield f"  {' -> '.join(f'l{number}' for number in range(1, len(levels) + 1))} [style=invis];"
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = sorted(graph.find_children(PACKAGE))
    for room in rooms:
        graph.squash_module(room)
    for room in rooms:
        for imported in sorted(graph.find_modules_directly_imported_by(room) & set(rooms) - {room}):
            yield f"  {room.removeprefix('cells.')} -> {imported.removeprefix('cells.')};"
    yield "}"


if __name__ == "__main__":
    sys.exit(main())
