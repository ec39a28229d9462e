# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to read."""

import base64
import errno
import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import browser

from ineus_core.errors import CapacityError
from ineus_core.evaluation import Fact, Panel, facts_of, to_plain, write_report
from ineus_core.evaluation.report.charts import line_chart
from ineus_core.evaluation.report.model import decimated
from ineus_core.evaluation.report.views import error_map
from ineus_core.types import Mesh, RenderedImage


def panel() -> Panel:
    """Make a view of 32 x 24 pixels with a hole in its depth."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 3, (24, 32)).astype(np.float32)
    depth[:4] = 0
    normal = np.zeros((24, 32, 3), dtype=np.float32)
    normal[4:, :, 2] = 1
    rgb = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    rendered = RenderedImage(rgb, depth + np.float32(0.1), normal, np.ones_like(depth))
    return Panel("frame <7>", rgb, depth, rendered)


def report() -> dict[str, Any]:
    """Make some keys of a run, with what JSON cannot hold."""
    return {
        "frames_in": np.int64(12),
        "held_out": {"psnr": float("inf"), "ssim": np.float32(0.5), "frames": 0},
        "curve": [
            {
                "stream_s": 0.1 * i,
                "step": i,
                "losses": {"total": 1 / (i + 1)},
                "psnr": 20.0 + i,
                "weightless": 0.0,
            }
            for i in range(9)
        ],
        "evaluation": {
            "ineus": {"f_score": {"0.05": 0.91}},
            "Open3D TSDF": {"f_score": {"0.05": 0.89}},
        },
        "config": {"seed": 0},
        "versions": {"torch": "2"},
        "device": "cpu",
    }


def test_both_files_stand_on_their_own(tmp_path: Path) -> None:
    """JSON without NaN; HTML with pictures, charts and tables and no link to anywhere."""
    path = write_report(tmp_path / "out", report(), [panel()], None)
    assert sorted(p.name for p in path.parent.iterdir()) == ["report.html", "report.json"]
    back = json.loads((path.parent / "report.json").read_text())
    assert back["frames_in"] == 12
    assert back["held_out"] == {"psnr": None, "ssim": 0.5, "frames": 0}
    html = path.read_text()
    assert html.count("data:image/jpeg;base64,") == 6
    assert html.count("<svg") == 2
    assert "weightless" not in html
    assert "frame &lt;7&gt;" in html
    assert "F-score at 5 cm: 91.0 %; Open3D TSDF: 89.0 %." in html
    assert not re.findall(r"https?:|<link|@import|url\(http", html)


def test_the_mesh_is_pictured(tmp_path: Path) -> None:
    """A triangle that faces up is in the overview."""
    mesh = Mesh(
        np.array(((0, 0, 0), (1, 0, 0), (0, 1, 0)), dtype=np.float32),
        np.array(((0, 1, 2),), dtype=np.int32),
        np.tile(np.array((0, 0, 1), dtype=np.float32), (3, 1)),
        np.full((3, 3), 90, dtype=np.uint8),
    )
    html = write_report(tmp_path, {}, mesh=mesh).read_text()
    assert "3 vertices and 1 triangles" in html
    held = json.loads(re.search(r'id="model-data">(.*?)</script>', html)[1])
    assert len(base64.b64decode(held["triangles"])) == 3 * 2
    assert len(base64.b64decode(held["positions"])) == 3 * 3 * 2
    assert html.count("data:image/jpeg;base64,") == 1


def test_a_run_without_anything_still_reports(tmp_path: Path) -> None:
    """No curve, no panels, no mesh."""
    assert "No surface" in write_report(tmp_path, {"frames_in": 0}).read_text()


def test_a_full_disk_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half-written, nothing left beside."""
    write_report(tmp_path, {"frames_in": 1})
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CapacityError, match=r"report\.json"):
        write_report(tmp_path, {"frames_in": 2})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_names_stay_text(tmp_path: Path) -> None:
    """Titles, reasons and names of columns that look like markup, or like mathematics."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> $x_1$"
    given = report() | {
        "dropped": {evil: 2},
        "device": evil,
        "evaluation": {evil: {"f_score": {"0.05": 0.5}}},
        "input_agreement": {"result": "contradicts", "message": evil},
        "curve": [{"step": i, evil: 1.0 + i} for i in range(3)],
    }
    html = write_report(tmp_path, given, [panel()], title=evil).read_text()
    assert html.count("<script") == 1
    assert "<img src=x" not in html and "$x_1$" in html


def test_a_chart_is_well_formed_and_takes_the_colours_of_its_page() -> None:
    chart = line_chart("a & b", "s", {"<x>": [(0, 1), (1, 2)], "y": [(0, 2), (1, 3)]})
    text = "".join(ElementTree.fromstring(_with_namespaces(chart)).itertext())
    assert "a & b" in text and "<x>" in text
    assert "var(--ink)" in chart and "#010203" not in chart


def test_charts_survive_constants_gaps_wide_ranges_and_nothing() -> None:
    """One value, NaN, a factor of 100, no points."""
    gaps = [(0, float("nan")), (1, 2.0), (2, 3.0)]
    for points in ([(0, 5.0), (1, 5.0)], [(0, 0.0)], gaps, [(0, 1.0), (1, 10.0), (2, 100.0)]):
        chart = line_chart("t", "s", {"x": points})
        ElementTree.fromstring(_with_namespaces(chart))
        assert "mathdefault" not in chart
    assert line_chart("t", "s", {"x": []}) == ""


def _with_namespaces(svg: str) -> str:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return svg.replace("<svg", f"<svg {names}", 1)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (Fact("k", "time", "l", 58.57, "s", 1), "58.6 s"),
        (Fact("k", "time", "l", 3723.0, "s", 1), "62 min 03 s"),
        (Fact("k", "surface", "l", 36668.0), "36,668"),
        (Fact("k", "quality", "l", None, "dB", 2), "–"),
        (Fact("k", "quality", "l", float("nan"), "dB", 2), "–"),
    ],
)
def test_figures_have_units_and_sensible_digits(fact: Fact, text: str) -> None:
    assert fact.text == text


def test_facts_are_in_their_units() -> None:
    given = {
        "held_out": {"depth_l1_m": 0.107, "psnr": None},
        "wall_s": 60.0,
        "stream_wall_s": 45.0,
        "samples_per_second": 250e6,
        "memory": {"peak_gpu_mb": 0.0},
        "dropped": {"no pose": 3},
        "unheard_of": 1,
    }
    texts = {fact.key: fact.text for fact in facts_of(given)}
    assert texts["held_out.depth_l1_m"] == "10.7 cm"
    assert texts["held_out.psnr"] == "–"
    assert texts["refine_wall_s"] == "15.0 s"
    assert texts["samples_per_second"] == "250.00 million"
    assert texts["dropped.no pose"] == "3"
    assert "memory.peak_gpu_mb" not in texts and "unheard_of" not in texts


def sheet(n: int) -> Mesh:
    """Return a flat sheet of n x n vertices, a metre wide, red to the right."""
    across = np.linspace(0, 1, n)
    x, y = (part.ravel() for part in np.meshgrid(across, across))
    vertices = np.stack((x, y, 0 * x), axis=1).astype(np.float32)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    halves = ((corner, corner + 1, corner + n), (corner + 1, corner + n + 1, corner + n))
    triangles = np.concatenate([np.stack(half, axis=1) for half in halves]).astype(np.int32)
    colours = np.stack((255 * x, 0 * x, 0 * x), axis=1).astype(np.uint8)
    normals = np.tile(np.array((0, 0, 1), np.float32), (n * n, 1))
    return Mesh(vertices, triangles, normals, colours)


def test_a_mesh_with_fewer_vertices_shows_the_same() -> None:
    small = decimated(sheet(60), 400)
    assert 200 < len(small.vertices) <= 400
    corners = small.vertices[small.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # All of it faces as before, nothing overlaps, and nearly all of the sheet is covered.
    assert (normals[:, 2] > 0).all()
    assert 0.85 < 0.5 * normals[:, 2].sum() < 1.0
    np.testing.assert_allclose(small.colours[:, 0] / 255, small.vertices[:, 0], atol=0.02)


def test_a_mesh_with_few_vertices_stays() -> None:
    mesh = sheet(5)
    assert decimated(mesh, 25) is mesh


def test_the_error_map_is_dark_where_colours_agree() -> None:
    seen = np.full((4, 4, 3), 100, np.uint8)
    rendered = seen.copy()
    rendered[0] = 255
    found = error_map(seen, rendered)
    assert found[2].max() < 10 and found[0].min() > 100


def test_in_a_browser_it_fits_its_mesh_turns_and_it_asks_nobody(tmp_path: Path) -> None:
    file = write_report(tmp_path, report(), [panel()], sheet(20), "a <b>report</b>")
    with browser(tmp_path) as page:
        page.open(file.as_uri())
        turn = "return document.querySelector('#model canvas').dataset.turn"
        first = page.wait_for(lambda: page.run(turn), "the mesh")
        page.wait_for(lambda: page.run(turn) != first, "its turning")
        page.run("document.querySelector('#model canvas').focus()")
        page.press("ArrowLeft")
        stopped = page.run(turn)
        before = page.picture()
        page.click("Normals")
        assert (page.picture() != before).any()
        assert page.run(turn) == stopped
        page.run(
            "const s = document.querySelector('.pair input'); s.value = 20;"
            "s.dispatchEvent(new Event('input'))"
        )
        assert (
            page.run("return document.querySelector('.pair').style.getPropertyValue('--cut')")
            == "20%"
        )
        for width_px in (360, 800, 1600):
            page.resize(width_px, 800)
            assert page.run("return document.documentElement.scrollWidth") <= width_px
        assert page.errors() == []
        assert page.foreign_requests() == []


def test_plain_values() -> None:
    """Arrays, paths, nested tuples."""
    plain = to_plain({1: np.array((1.0, np.nan)), "p": Path("a/b"), "t": (True, None, np.True_)})
    assert plain == {"1": [1.0, None], "p": "a/b", "t": [True, None, True]}
