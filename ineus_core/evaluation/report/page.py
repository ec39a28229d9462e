# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The page that a run leaves, in one file that asks for nothing from outside."""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ineus_core.evaluation.picture import overview_camera, render_mesh_picture
from ineus_core.evaluation.report.charts import line_chart
from ineus_core.evaluation.report.facts import GROUPS, Fact, against_reference, facts_of
from ineus_core.evaluation.report.model import model_json
from ineus_core.evaluation.report.views import Panel, image, views_section
from ineus_core.files import replace_file
from ineus_core.types import Mesh

# Steps go on after the last frame, stream time does not.
_CLOCKS = {"step": "step", "stream_s": "stream time, s", "wall_s": "wall time, s"}
_CHARTS = {
    "psnr": "PSNR of views kept out, dB",
    "ssim": "SSIM of views kept out",
    "lpips": "LPIPS of views kept out",
    "depth_l1_m": "mean error of their depth, m",
    "total": "weighted sum of the losses",
}
_STILL_PX = (1200, 675)
_LOOKS = ("Colour", "Normals", "Shape")


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
            charts, and `evaluation`, figures by the name of what they are of, ours first, the
            headline and a table with a column each.
        up: Direction against gravity for the view of the mesh; the z axis if not given.

    Returns:
        The path of `report.html`.
    """
    directory, plain = Path(directory), to_plain(report)
    facts = facts_of(plain)
    sections = (
        _headline(title, plain, facts),
        _agreement(plain.get("input_agreement") or {}),
        _model(mesh, up),
        views_section(panels),
        _evaluation(plain.get("evaluation") or {}),
        _curves(plain.get("curve") or []),
        _tables(facts),
        _details("Configuration", plain.get("config")),
        _details("Versions", plain.get("versions")),
        _details("All figures", {k: v for k, v in plain.items() if k not in ("config", "curve")}),
    )
    style, script = (
        (files(__package__) / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing is fetched: whatever a name holds, no browser will ask anyone for it.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body>{''.join(sections)}<script>{script}</script></body></html>\n"
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


def _headline(title: str, report: Mapping[str, Any], facts: Sequence[Fact]) -> str:
    """Say what was made of what, how good it is, and how long it took."""
    found = {fact.key: fact for fact in facts if fact.value is not None}
    what = found.get("mesh.triangles")
    of = found.get("frames_used")
    took = found.get("wall_s")
    sentence = "A surface" if what is None else f"A surface of {what.text} triangles"
    sentence += "" if of is None else f" from {of.text} frames"
    sentence += "" if took is None else f" in {took.text}"
    device = str(report.get("device") or "")
    sentence += f", on {device}." if device else "."
    quality = [fact for fact in facts if fact.group == "quality" and fact.value is not None]
    keys = ("mesh.voxel_size_m", "wall_s", "keyframes", "frames_dropped")
    shown = [*_best(quality), *(found[key] for key in keys if key in found)]
    cards = "".join(
        f'<div class="card"><b>{escape(fact.text)}</b><span>{escape(fact.label)}</span></div>'
        for fact in shown
    )
    return (
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(sentence)} '
        f'{escape(_how_good(report, quality))}</p><div class="cards">{cards}</div></header>'
    )


def _best(quality: Sequence[Fact]) -> list[Fact]:
    """Choose the two figures that tell most of the quality."""
    wanted = (".f_score.0.05", ".f_score.0.02", ".f_score.", ".accuracy_m", ".psnr", ".depth_l1_m")
    ordered = [fact for end in wanted for fact in quality if end in fact.key]
    return list(dict.fromkeys(ordered))[:2]


def _how_good(report: Mapping[str, Any], quality: Sequence[Fact]) -> str:
    """Set the result against the reference in a sentence, if there is one."""
    best = _best(quality)
    if not best:
        return "It was not compared with anything: --hold-out N or ineus eval would."
    text = f"{best[0].label}: {best[0].text}"
    others = [
        (name, fact)
        for name, figures in list((report.get("evaluation") or {}).items())[1:]
        for fact in against_reference(figures)
        if fact.label == best[0].label
    ]
    return text + "".join(f"; {name}: {fact.text}" for name, fact in others) + "."


def _agreement(agreement: Mapping[str, Any]) -> str:
    """Warn of an input that contradicts itself."""
    if agreement.get("result") != "contradicts":
        return ""
    return f'<p class="warning">{escape(str(agreement.get("message") or ""))}</p>'


def _model(mesh: Mesh | None, up: Float[np.ndarray, " 3"] | None) -> str:
    if mesh is None or len(mesh.triangles) == 0:
        return '<section><h2>Surface</h2><p class="note">No surface was found.</p></section>'
    still = render_mesh_picture(mesh, *overview_camera(mesh, *_STILL_PX, up))
    looks = "".join(
        f'<button type="button" aria-pressed="{str(look == _LOOKS[0]).lower()}">{look}</button>'
        for look in _LOOKS
    )
    note = (
        f"{len(mesh.vertices):,} vertices and {len(mesh.triangles):,} triangles in mesh.ply; here "
        "fewer, where there are many. Drag or use the arrow keys to turn it; after a click the "
        "wheel comes closer. Faces seen from behind are left out."
    )
    return (
        f'<section><h2>Surface</h2><div id="model">{image(still, "the surface", _STILL_PX[0])}'
        f'<div class="looks">{looks}</div></div><p class="note">{note}</p>'
        f'<script type="application/json" id="model-data">{model_json(mesh, up)}</script>'
        "</section>"
    )


def _curves(curve: Sequence[Mapping[str, Any]]) -> str:
    """Draw charts over the steps, without what has always been 0, as losses without weight."""
    clock = next((c for c in _CLOCKS if len({row.get(c) for row in curve} - {None}) > 1), None)
    if clock is None:
        return ""
    groups: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in curve:
        terms = {**row, **(row.get("losses") or {})}
        for key, value in terms.items():
            if key in _CLOCKS or not isinstance(value, int | float) or row.get(clock) is None:
                continue
            title = _CHARTS.get(key, "terms of the loss")
            groups.setdefault(title, {}).setdefault(key, []).append((row[clock], value))
    order = [*_CHARTS.values(), "terms of the loss"]
    charts = []
    for title in sorted(groups, key=order.index):
        lines = {k: line for k, line in groups[title].items() if any(value for _, value in line)}
        charts.append(line_chart(title, _CLOCKS[clock], lines))
    return f'<section><h2>Over time</h2><div class="charts">{"".join(charts)}</div></section>'


def _evaluation(evaluation: Mapping[str, Any]) -> str:
    """Set what was compared with the reference side by side."""
    columns = {name: list(against_reference(figures)) for name, figures in evaluation.items()}
    labels = list(dict.fromkeys(fact.label for facts in columns.values() for fact in facts))
    if not labels:
        return ""
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in columns)
    rows = ""
    for label in labels:
        texts = [
            next((fact.text for fact in facts if fact.label == label), "–")
            for facts in columns.values()
        ]
        cells = "".join(f'<td class="n">{escape(text)}</td>' for text in texts)
        rows += f"<tr><td>{escape(label)}</td>{cells}</tr>"
    return (
        '<section><h2>Against the reference</h2><div class="wide"><table>'
        f"<tr><th></th>{head}</tr>{rows}</table></div></section>"
    )


def _tables(facts: Sequence[Fact]) -> str:
    """Return a table for each group of figures."""
    tables = ""
    for group in GROUPS:
        rows = "".join(
            f'<tr><td>{escape(fact.label)}</td><td class="n">{escape(fact.text)}</td></tr>'
            for fact in facts
            # These have a table of their own.
            if fact.group == group and not fact.key.startswith("evaluation.")
        )
        if rows:
            tables += f"<div><h3>{group.capitalize()}</h3><table>{rows}</table></div>"
    return (
        f'<section><h2>Figures</h2><div class="tables">{tables}</div></section>' if tables else ""
    )


def _details(title: str, content: Any) -> str:
    if not content:
        return ""
    text = escape(json.dumps(content, indent=2))
    return f"<details><summary>{title}</summary><pre>{text}</pre></details>"
