"""Plots of the documentation: ``python -m bench.plots growth.json`` draws them from the figures.

The same figures give the same file, byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.run import Skipped

#: Colors of the lines in a plot, in order: distinguishable without red and green, on white.
COLORS = ("#1b6ca8", "#c4581b")
MARKERS = ("o", "s")
INK, GRID = "#333333", "#dddddd"
SIZE_INCHES = (5.6, 3.2)
HEADROOM = 1.12


@dataclass(frozen=True)
class Figure:
    """Content of one plot.

    :param x_label: name of the x axis
    :param unit: unit of the values
    :param lines: label of a line -> its values, one for each of ``x``
    """

    name: str
    x_label: str
    unit: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    is_logarithmic: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the figure for JSON."""
        return dataclasses.asdict(self)


def draw(figure: Figure, into: Path) -> None:
    """Write the plot as SVG.

    :raises Skipped: matplotlib is not installed
    """
    try:
        import matplotlib  # noqa: PLC0415  # only the plots need it
        from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
        from matplotlib.ticker import LogLocator  # noqa: PLC0415
    except ImportError as error:
        raise Skipped('plots need matplotlib: pip install -e ".[bench]"') from error
    # Text remains text, which is smaller than outlines; IDs do not depend on the time.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cells", "font.size": 10}):
        canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
        axes = canvas.add_subplot()
        for (label, values), color, marker in zip(figure.lines.items(), COLORS, MARKERS, strict=False):
            axes.plot(figure.x, values, color=color, marker=marker, markersize=5, linewidth=1.8, label=label)
        if figure.is_logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        else:
            axes.set_xlim(left=0)
            axes.set_ylim(0, HEADROOM * max(max(values) for values in figure.lines.values()))
        axes.set_xticks(figure.x)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(figure.x_label, color=INK)
        axes.set_ylabel(figure.unit, color=INK)
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        if len(figure.lines) > 1:
            axes.legend(frameon=False)
        canvas.savefig(into, format="svg", metadata={"Date": None, "Creator": None})


def main() -> None:
    """Draw all figures of a file, into its directory."""
    file = Path(sys.argv[1])
    for values in json.loads(file.read_text()):
        figure = Figure(**values)
        draw(figure, file.with_name(f"{file.stem}-{figure.name}.svg"))


if __name__ == "__main__":
    main()
