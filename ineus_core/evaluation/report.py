# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to read: `report.json` for programs, `report.html` for people."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.evaluation.chart import line_chart
from ineus_core.evaluation.colours import depth_colours, depth_limits_m, normal_colours
from ineus_core.evaluation.picture import overview_camera, render_mesh_picture
from ineus_core.files import replace_file
from ineus_core.types import Mesh, RenderedImage

# Steps go on after the last frame, stream time does not.
_CLOCKS = {"step": "step", "stream_s": "stream time, s", "wall_s": "wall time, s"}
_NOT_IN_TABLE = {"curve", "config", "versions", "evaluation"}
_PANEL_WIDTH_PX = 420
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 1180px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
.note { color: #6b7280; } img { max-width: 100%; border-radius: 6px; display: block; }
.row { display: grid; grid-template-columns: repeat(5, 1fr); gap: 8px; margin-bottom: 12px; }
.row p { margin: 0; font-size: 12px; color: #6b7280; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 14px; }
svg { background: #f9fafb; border-radius: 6px; font: 11px system-ui, sans-serif; }
svg .title { font-size: 13px; font-weight: 600; } svg .grid { stroke: #e5e7eb; }
table { border-collapse: collapse; } td, th { padding: 3px 18px 3px 0; text-align: left;
  border-bottom: 1px solid #e5e7eb; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f9fafb; padding: 1rem; overflow-x: auto; font-size: 12px; }
"""


@dataclass(frozen=True)
class Panel:
    """A view of the camera beside what is rendered there."""

    title: str
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "h w"] | None
    """Measured; 0 where there is no return."""
    rendered: RenderedImage


def write_report(
    directory: str | Path,
    report: Mapping[str, Any],
    panels: Sequence[Panel] = (),
    mesh: Mesh | None = None,
    title: str = "ineus reconstruction",
    up: Float[np.ndarray, " 3"] | None = None,
) -> Path:
    """Write `report.json` and `report.html` into a directory, each whole or not at all.

    Args:
        report: The object of `report.json`; NaN and infinities become null. Its `curve` becomes
            charts, and `evaluation`, figures by the name of what they are of, such as ours and
            the reference fusion, a table with a column each.
        up: Direction against gravity for the picture of the mesh; the z axis if not given.

    Returns:
        The path of `report.html`.
    """
    directory, plain = Path(directory), to_plain(report)
    sections = [
        _mesh_section(mesh, up),
        _panel_section(panels),
        _curve_section(plain.get("curve") or []),
        _evaluation_section(plain.get("evaluation") or {}),
        _figures_section(plain),
        _details("Configuration", plain.get("config")),
        _details("Versions", plain.get("versions")),
    ]
    device = escape(str(plain.get("device", "")))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="note">{device}</p>{"".join(sections)}</body></html>\n'
    )
    replace_file(directory / "report.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    replace_file(directory / "report.html", page)
    return directory / "report.html"


def to_plain(value: Any) -> Any:
    """Convert to what JSON holds: NaN and infinities to null, arrays to lists, others to text."""
    match value:
        case Mapping():
            return {str(key): to_plain(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [to_plain(item) for item in value]
        case np.ndarray() | np.generic():
            return to_plain(value.tolist())
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def _mesh_section(mesh: Mesh | None, up: Float[np.ndarray, " 3"] | None) -> str:
    if mesh is None or len(mesh.triangles) == 0:
        return '<h2>Mesh</h2><p class="note">No surface was found.</p>'
    picture = render_mesh_picture(mesh, *overview_camera(mesh, 1160, 620, up))
    note = (
        f"{len(mesh.vertices):,} vertices, {len(mesh.triangles):,} triangles; "
        "faces seen from behind are left out."
    )
    return f'<h2>Mesh</h2>{_image(picture, "mesh")}<p class="note">{note}</p>'


def _panel_section(panels: Sequence[Panel]) -> str:
    if not panels:
        return ""
    rows = []
    for panel in panels:
        depths = (panel.rendered.depth_m, panel.depth_m)
        low, high = depth_limits_m(*(depth_m for depth_m in depths if depth_m is not None))
        cells = [
            _captioned(panel.rgb, f"{panel.title}: input"),
            _captioned(panel.rendered.rgb, "rendered colour"),
            _captioned(depth_colours(panel.depth_m, low, high), "input depth")
            if panel.depth_m is not None
            else "<div><p>no input depth</p></div>",
            _captioned(
                depth_colours(panel.rendered.depth_m, low, high),
                f"rendered depth, {low:.1f} to {high:.1f} m",
            ),
            _captioned(normal_colours(panel.rendered.normal), "rendered normals"),
        ]
        rows.append(f'<div class="row">{"".join(cells)}</div>')
    return f"<h2>Input and renders</h2>{''.join(rows)}"


def _captioned(picture: UInt8[np.ndarray, "h w 3"], caption: str) -> str:
    return f"<div>{_image(picture, caption, _PANEL_WIDTH_PX)}<p>{escape(caption)}</p></div>"


def _image(picture: UInt8[np.ndarray, "h w 3"], label: str, max_width_px: int = 1160) -> str:
    """Make an image element that holds its JPEG."""
    height, width = picture.shape[:2]
    if width > max_width_px:
        size = (max_width_px, max(1, round(height * max_width_px / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 88))
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    return f'<img alt="{escape(label)}" src="data:image/jpeg;base64,{data}">'


def _curve_section(curve: Sequence[Mapping[str, Any]]) -> str:
    """Draw charts over the steps, without what has always been 0, as losses without weight."""
    rows = [_flat(entry) for entry in curve]
    clock = next((c for c in _CLOCKS if len({row.get(c) for row in rows} - {None}) > 1), None)
    if clock is None:
        return ""
    groups: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for key, value in row.items():
            if key in _CLOCKS or not isinstance(value, int | float) or row.get(clock) is None:
                continue
            group, _, name = key.rpartition(".")
            line = groups.setdefault(_chart_of(group, name), {}).setdefault(name, [])
            line.append((row[clock], value))
    charts = [
        line_chart(title, _CLOCKS[clock], lines)
        for title, lines in groups.items()
        if any(value for line in lines.values() for _, value in line)
    ]
    return f'<h2>Curves</h2><div class="charts">{"".join(charts)}</div>'


def _chart_of(group: str, name: str) -> str:
    """Name the chart of a figure: losses share one; figures of different units do not."""
    return group if "loss" in group or group.endswith("_ms") else name


def _evaluation_section(evaluation: Mapping[str, Any]) -> str:
    columns = {name: _flat(figures) for name, figures in evaluation.items()}
    if not columns:
        return ""
    keys = list(dict.fromkeys(key for figures in columns.values() for key in figures))
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr><td>{escape(key)}</td>"
        + "".join(f'<td class="n">{_text(figures.get(key))}</td>' for figures in columns.values())
        + "</tr>"
        for key in keys
    )
    return f"<h2>Against the reference</h2><table><tr><th></th>{head}</tr>{body}</table>"


def _figures_section(report: Mapping[str, Any]) -> str:
    figures = _flat({key: value for key, value in report.items() if key not in _NOT_IN_TABLE})
    rows = "".join(
        f'<tr><td>{escape(key)}</td><td class="n">{_text(value)}</td></tr>'
        for key, value in figures.items()
    )
    return f"<h2>Figures</h2><table>{rows}</table>"


def _details(title: str, content: Any) -> str:
    if not content:
        return ""
    text = escape(json.dumps(content, indent=2))
    return f"<details><summary>{title}</summary><pre>{text}</pre></details>"


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested records into one, with dots in the keys."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
