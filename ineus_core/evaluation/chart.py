# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG text; a plotting library would make each report several megabytes larger."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

Series = Mapping[str, Sequence[tuple[float, float]]]

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 40
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4b5563")


def line_chart(title: str, x_label: str, series: Series) -> str:
    """Draw a chart of named lines; y is logarithmic where values span over a factor of 50.

    Args:
        series: Points (x, y) of each line; those that are not finite are left out.
    """
    lines = {name: _finite(points) for name, points in series.items()}
    lines = {name: points for name, points in lines.items() if len(points)}
    if not lines:
        return ""
    values = np.concatenate(list(lines.values()))
    logarithmic = bool(values[:, 1].min() > 0 and values[:, 1].max() > 50 * values[:, 1].min())
    if logarithmic:
        lines = {name: np.stack((p[:, 0], np.log10(p[:, 1])), 1) for name, p in lines.items()}
        values = np.concatenate(list(lines.values()))
    (x_low, y_low), (x_high, y_high) = values.min(axis=0), values.max(axis=0)
    x_axis = _Axis(x_low, x_high, _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis(y_low, y_high, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text x="{_LEFT}" y="18" class="title">{escape(title)}</text>',
        *_grid(x_axis, y_axis, logarithmic),
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>",
    ]
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += _line(points, colour, x_axis, y_axis)
        if len(lines) > 1:
            parts.append(
                f'<text x="{_WIDTH - _RIGHT - 4}" y="{_TOP + 10 + 14 * number}" '
                f'text-anchor="end" fill="{colour}">{escape(name)}</text>'
            )
    return "\n".join([*parts, "</svg>"])


class _Axis:
    """Maps values to pixels; a range of one value gets a width."""

    def __init__(self, low: float, high: float, first_px: float, last_px: float) -> None:
        margin = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
        self.low, self.high = low - margin, high + margin
        self._first_px, self._last_px = first_px, last_px

    def pixel(self, value: float) -> float:
        """Place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return float(self._first_px + share * (self._last_px - self._first_px))

    def ticks(self) -> list[float]:
        """Choose about five round values."""
        rough = (self.high - self.low) / 5
        unit = 10.0 ** np.floor(np.log10(rough))
        step = unit * min((1, 2, 5, 10), key=lambda factor: abs(factor * unit - rough))
        return [
            # Adding zero turns a negative zero into zero.
            float(tick) + 0.0
            for tick in np.arange(np.ceil(self.low / step), self.high / step) * step
        ]


def _finite(points: Sequence[tuple[float, float]]) -> np.ndarray:
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return array[np.isfinite(array).all(axis=1)]


def _grid(x_axis: _Axis, y_axis: _Axis, logarithmic: bool) -> list[str]:
    parts = []
    for tick in y_axis.ticks():
        y = y_axis.pixel(tick)
        label = f"{10**tick:.2g}" if logarithmic else f"{tick:.4g}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for tick in x_axis.ticks():
        x = x_axis.pixel(tick)
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
            f"{tick:.4g}</text>"
        )
    return parts


def _line(points: np.ndarray, colour: str, x_axis: _Axis, y_axis: _Axis) -> list[str]:
    """Draw the line, and a dot at its end."""
    places = [(x_axis.pixel(x), y_axis.pixel(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x_end, y_end = places[-1]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>',
        f'<circle cx="{x_end:.1f}" cy="{y_end:.1f}" r="2.5" fill="{colour}"/>',
    ]
