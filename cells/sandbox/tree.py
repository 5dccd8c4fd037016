"""The notation of a tree, ``api(east(az1,az2),west)``: a name, with its children in parentheses.

``az[1-50]`` means az1, az2, ... az50.  ``cells sandbox up --tree`` reads the notation, and
the state file of a sandbox contains it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cells import exceptions
from cells.path import CellPath, check_name

DEFAULT_TREE = "api(east(az1,az2),west)"
#: Each cell is a process: a larger number is probably a typing error.
MAX_CELLS = 1000
MAX_DEPTH = 50

_TOKEN = re.compile(r"\s*([(),]|[^(),\s]+|$)")
_RANGE = re.compile(r"([^\[\]]*)\[([0-9]+)-([0-9]+)\]([^\[\]]*)")


@dataclass(frozen=True)
class Tree:
    """A cell and its subtree.  ``str()`` returns the notation."""

    name: str
    children: tuple[Tree, ...] = ()

    def __str__(self) -> str:
        below = ",".join(map(str, self.children))
        return f"{self.name}({below})" if below else self.name

    def walk(self, above: tuple[str, ...] = ()) -> Iterator[tuple[CellPath, Tree]]:
        """Yield the path and the subtree of every cell, parents before their children."""
        here = (*above, self.name)
        yield CellPath(here), self
        for child in self.children:
            yield from child.walk(here)

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the names of parent and child for every link."""
        for child in self.children:
            yield self.name, child.name
            yield from child.links()

    def names(self) -> list[str]:
        """Return the name of every cell, parents before their children."""
        return [cell.name for _, cell in self.walk()]

    def depth(self) -> int:
        """Return the number of levels."""
        return 1 + max((child.depth() for child in self.children), default=0)

    def shape(self) -> dict[str, object]:
        """Return the subtree in the form of a ping: ``{"east": {"az1": {}}, "west": {}}``."""
        return {child.name: child.shape() for child in self.children}


def parse(text: str) -> Tree:
    """Read the notation.

    :raises cells.exceptions.SandboxError: the notation is malformed, or a name is invalid or occurs twice; the
        message has the position
    """
    return _Reader(text).read()


class _Reader:
    """Parser that reads the text once, one character or name at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._word = ""
        self._seen: set[str] = set()

    def read(self) -> Tree:
        self._advance()
        trees = self._siblings(1)
        if self._word == ")":
            raise self._error("this ')' has no '('")
        if len(trees) > 1:
            raise exceptions.SandboxError(
                f"The tree {self._text!r:.80} has {len(trees)} cells at its top, and a tree needs exactly one: "
                f"add a parent, top({self._text:.80})."
            )
        return trees[0]

    def _siblings(self, depth: int) -> tuple[Tree, ...]:
        if depth > MAX_DEPTH:
            raise self._error(f"there are more than {MAX_DEPTH} levels here")
        trees: list[Tree] = []
        while True:
            trees += self._family(depth)
            if self._word != ",":
                return tuple(trees)
            self._advance()

    def _family(self, depth: int) -> list[Tree]:
        """Return a cell with its children, or several cells if the name is a range."""
        if self._word in ("", "(", ")", ","):
            raise self._error("a name is missing")
        names = list(self._names())
        self._advance()
        children: tuple[Tree, ...] = ()
        if self._word == "(":
            opened_at = self._position
            self._advance()
            children = self._siblings(depth + 1)
            if self._word != ")":
                raise self._error(f"a ')' is missing for the '(' at {opened_at}")
            self._advance()
        if self._word not in ("", ",", ")"):
            raise self._error("a ',' is missing")
        if len(names) > 1 and children:
            raise self._error(f"{names[0]} to {names[-1]} cannot have the same children: names must be unique")
        return [Tree(name, children) for name in names]

    def _names(self) -> Iterator[str]:
        for name in self._expanded():
            try:
                check_name(name)
            except exceptions.InvalidNeighbor as error:
                raise self._error(error.message.rstrip(".")) from None
            if "/" in name or name in (".", ".."):
                raise self._error(f"{name!r} cannot be the name of a directory, and each cell has a directory")
            if name in self._seen:
                raise self._error(f"there is a second {name}; in a sandbox names must be unique")
            self._seen.add(name)
            if len(self._seen) > MAX_CELLS:
                raise self._error(f"there are more than {MAX_CELLS} cells")
            yield name

    def _expanded(self) -> Iterator[str]:
        if "[" not in self._word and "]" not in self._word:
            yield self._word
            return
        found = _RANGE.fullmatch(self._word)
        if not found or int(found[2]) > int(found[3]):
            raise self._error(f"{self._word!r:.80} is not a range such as az[1-50]")
        head, first, last, tail = found.groups()
        width = len(first) if first.startswith("0") else 1
        for number in range(int(first), int(last) + 1):
            yield f"{head}{number:0{width}}{tail}"

    def _advance(self) -> None:
        found = _TOKEN.match(self._text, self._position - 1 + len(self._word) if self._position else 0)
        # The pattern matches every text, including the end.
        assert found is not None  # noqa: S101
        self._word = found[1]
        self._position = found.start(1) + 1

    def _error(self, problem: str) -> exceptions.SandboxError:
        return exceptions.SandboxError(
            f"The tree {self._text!r:.80} is malformed at character {self._position}: {problem}. "
            f"Example of a tree: {DEFAULT_TREE}."
        )
