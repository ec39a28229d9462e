# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Line charts of matplotlib as SVG text, in the colours of the page they stand in."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Series = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS = ("#2f7fd6", "#d9480f", "#2b8a3e", "#b7791f", "#7c4dff", "#0c8599", "#c2255c", "#868e96")
# Values that nothing else in a chart has, so that they are found in its text.
_INK, _FAINT = "#010203", "#040506"
"""Stand for what the style sheet of the page decides."""
_STYLE: dict[str, Any] = {
    "axes.edgecolor": _FAINT,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "text.color": _INK,
    # A name is text, also with dollars in it.
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def line_chart(title: str, x_label: str, series: Series) -> str:
    """Draw a chart of named lines; y is logarithmic where values span over a factor of 50.

    Args:
        series: Points (x, y) of each line; those that are not finite are left out.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = {name: _finite(points) for name, points in series.items()}
    lines = {name: points for name, points in lines.items() if len(points)}
    if not lines:
        return ""
    # Salt and date, which are random and the time else: equal runs leave equal pages.
    with mpl.rc_context(_STYLE | {"svg.hashsalt": title}):
        figure = Figure(figsize=(4.8, 2.7), layout="constrained")
        axes = figure.subplots()
        for colour, (name, points) in zip(_COLOURS * len(lines), lines.items(), strict=False):
            marker = "o" if len(points) < 12 else ""
            axes.plot(
                *points.T, color=colour, label=name, linewidth=1.6, marker=marker, markersize=3
            )
        values = np.concatenate(list(lines.values()))[:, 1]
        if values.min() > 0 and values.max() > 50 * values.min():
            axes.set_yscale("log")
            # The powers of ten are written by mathematics else, which is switched off.
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(lambda *_: "")
        axes.set_title(title)
        axes.set_xlabel(x_label)
        if len(lines) > 1:
            figure.legend(ncols=3, loc="outside lower center")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return _for_page(out.getvalue())


def _finite(points: Sequence[tuple[float, float]]) -> np.ndarray:
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return array[np.isfinite(array).all(axis=1)]


def _for_page(svg: str) -> str:
    """Take what only a file of its own needs, and let the page colour it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # No more than four: those further on are sizes of parts.
    svg = re.sub(r' (xmlns(:xlink)?|width|height|version)="[^"]*"', "", svg, count=4)
    svg = svg.replace(_INK, "var(--ink)").replace(_FAINT, "var(--line)")
    return svg.strip()
