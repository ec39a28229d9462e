# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to read."""

import errno
import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from ineus_core.errors import CapacityError
from ineus_core.evaluation import Panel, to_plain, write_report
from ineus_core.evaluation.chart import line_chart
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
    assert html.count("data:image/jpeg;base64,") == 5
    assert html.count("<svg") == 2
    assert "weightless" not in html
    assert "frame &lt;7&gt;" in html
    assert "Open3D TSDF" in html
    assert "0.89" in html
    assert "http" not in html


def test_the_mesh_is_pictured(tmp_path: Path) -> None:
    """A triangle that faces up is in the overview."""
    mesh = Mesh(
        np.array(((0, 0, 0), (1, 0, 0), (0, 1, 0)), dtype=np.float32),
        np.array(((0, 1, 2),), dtype=np.int32),
        np.tile(np.array((0, 0, 1), dtype=np.float32), (3, 1)),
        np.full((3, 3), 90, dtype=np.uint8),
    )
    html = write_report(tmp_path, {}, mesh=mesh).read_text()
    assert "3 vertices, 1 triangles" in html
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


def test_charts_are_well_formed_and_scale() -> None:
    """The first point is left of the last; a rising line rises (y grows downwards)."""
    root = ElementTree.fromstring(line_chart("a & b", "s", {"<x>": [(0, 1), (1, 2), (2, 3)]}))
    line = root.find("polyline")
    assert line is not None
    places = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[0][1] > places[1][1] > places[2][1]
    assert places[1][1] == pytest.approx((places[0][1] + places[2][1]) / 2, abs=0.1)


def test_a_wide_range_gets_a_logarithmic_axis() -> None:
    """1, 10, 100 are evenly spaced."""
    root = ElementTree.fromstring(line_chart("t", "s", {"x": [(0, 1), (1, 10), (2, 100)]}))
    line = root.find("polyline")
    assert line is not None
    y = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_charts_survive_constants_gaps_and_nothing() -> None:
    """One value, NaN, no points."""
    assert "polyline" in line_chart("t", "s", {"x": [(0, 5.0), (1, 5.0)]})
    assert "polyline" in line_chart("t", "s", {"x": [(0, 0.0)]})
    assert "nan" not in line_chart("t", "s", {"x": [(0, float("nan")), (1, 2.0), (2, 3.0)]})
    assert line_chart("t", "s", {"x": []}) == ""


def test_plain_values() -> None:
    """Arrays, paths, nested tuples."""
    plain = to_plain({1: np.array((1.0, np.nan)), "p": Path("a/b"), "t": (True, None, np.True_)})
    assert plain == {"1": [1.0, None], "p": "a/b", "t": [True, None, True]}
