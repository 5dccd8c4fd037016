"""The screen and the lines of ``cells watch``.  Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cells import printable
from cells.cli.rates import Sample

#: Counters that are shown also if nothing happens.
_ALWAYS = ("received", "sent")
#: State -> parameter of the escape sequence that colors it; other states are problems.
_BOLD, _GREEN, _YELLOW, _RED = "1", "32", "33", "31"
_COLORS = {"up": "", "silent": _YELLOW, "mute": _YELLOW, "reconnecting": _YELLOW, "unknown": _YELLOW}
_LONGEST_NAME = 40
#: The narrowest screen that is drawn for; a narrower terminal wraps the lines.
_NARROWEST = 20


class Line(NamedTuple):
    """A line of the screen."""

    text: str
    color: str = ""


class _Column(NamedTuple):
    """A column of the table of links."""

    title: str
    value: Callable[[Mapping[str, Any]], str]
    #: on a narrow screen, columns with a high rank are left out first
    rank: int
    is_number: bool = False


def draw(sample: Sample, width: int, height: int, now: str) -> Iterator[Line]:
    """Yield the lines of a screen, at most ``height``, each at most ``width`` wide.

    :param now: the time of day
    """
    width = max(width, _NARROWEST)
    head = [Line(line) for line in _wrapped([*_head(sample, now)], width)]
    if sample.rates:
        head += [Line(line) for line in _wrapped([*_rates(sample)], width)]
    if sample.error is not None:
        head.append(Line(sample.error, _RED))
    links = sorted(sample.links, key=lambda link: (link["state"] == "up" and not link["problem"], link["name"]))
    table = list(_table(links, width))
    problems = [Line(f"{link['problem']}", _color_of(link)) for link in links if link["problem"]]
    lines = [*head, Line(""), *table, *([Line("")] if problems else []), *problems]
    room = max(height, 2)
    if len(lines) > room:
        lines = [*lines[: room - 1], Line(f"... {len(lines) - room + 1} lines more")]
    for line in lines:
        yield Line(_cut(printable.line(line.text), width), line.color)


def lines(sample: Sample) -> Iterator[str]:
    """Yield a line about the manager, and one for each link whose state has changed, for output that is no terminal."""
    if sample.error is not None:
        yield sample.error
        return
    counts = Counter(str(link["state"]) for link in sample.links)
    links = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
    manager = sample.manager
    yield "; ".join(
        [
            f"{manager.get('host')}: links: {links}",
            f"{manager.get('pending_calls')} pending calls",
            f"{_total(sample, 'in_flight')} waiting",
            f"{_total(sample, 'lost')} lost",
            *_rates(sample),
        ]
    )
    for link in sample.links:
        before = sample.before.get(link["name"])
        if link["state"] != (before or "up"):
            origin = "" if before is None else f", was {before}"
            yield f"{link['name']}: {link['state']}{origin}" + (f": {link['problem']}" if link["problem"] else "")


def _head(sample: Sample, now: str) -> Iterator[str]:
    manager = sample.manager
    yield f"{manager.get('name')}"
    yield f"manager {manager.get('host')} ({manager.get('release')})"
    yield now
    yield f"{manager.get('pending_calls')} pending calls"
    yield f"{_total(sample, 'in_flight')} waiting"


def _rates(sample: Sample) -> Iterator[str]:
    if not sample.rates:
        return
    changing = [name for name in sample.rates if name not in _ALWAYS and sample.rates[name] > 0]
    for name in (*_ALWAYS, *sorted(changing)):
        yield f"{name} {sample.rates.get(name, 0.0):.1f}/s"


def _total(sample: Sample, key: str) -> int:
    return sum(link[key] for link in sample.links if isinstance(link[key], int))


def _wrapped(parts: Sequence[str], width: int) -> Iterator[str]:
    """Yield the parts, as many on each line as it has room for."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and _width(longer) > width:
            yield line
            longer = part
        line = longer
    yield line


def _table(links: Sequence[Mapping[str, Any]], width: int) -> Iterator[Line]:
    if not links:
        yield Line("There are no neighbors.")
        return
    cells = {column: [column.title, *(printable.line(column.value(link)) for link in links)] for column in _COLUMNS}
    widths = {column: max(map(_width, texts)) for column, texts in cells.items()}
    shown = list(_COLUMNS)
    while len(shown) > 1 and sum(widths[column] for column in shown) + 2 * (len(shown) - 1) > width:
        shown.remove(max(shown, key=lambda column: column.rank))
    for number in range(len(links) + 1):
        texts = [_padded(cells[column][number], widths[column], is_number=column.is_number) for column in shown]
        yield Line("  ".join(texts).rstrip(), _color_of(links[number - 1]) if number else _BOLD)


def _color_of(link: Mapping[str, Any]) -> str:
    return _COLORS.get(link["state"], _RED)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // smaller:.0f} {part}"
    return f"{seconds:.0f} s"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"


def _kind(link: Mapping[str, Any]) -> str:
    return "" if link["is_parent"] is None else "parent" if link["is_parent"] else "child"


def _text(value: object) -> str:
    return "" if value is None else str(value)


_COLUMNS = (
    _Column("link", lambda link: _cut(printable.line(str(link["name"])), _LONGEST_NAME), 0),
    _Column("type", _kind, 4),
    _Column("state", lambda link: _text(link["state"]), 1),
    _Column("since", lambda link: _duration(link["since_seconds"]), 3, is_number=True),
    _Column("round trip", lambda link: _milliseconds(link["round_trip_seconds"]), 5, is_number=True),
    _Column("waiting", lambda link: _text(link["in_flight"]), 2, is_number=True),
    _Column("lost", lambda link: _text(link["lost"]), 6, is_number=True),
    _Column("driver", lambda link: _text(link["driver"]), 7),
    _Column("version", lambda link: _text(link["spoken"]), 8),
)


def _width(text: str) -> int:
    return sum(_width_of(character) for character in text)


def _width_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, width: int, *, is_number: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if is_number else text + blanks


def _cut(text: str, width: int) -> str:
    """Return the text, without what a terminal of that width has no room for."""
    if _width(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += _width_of(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "~"
