# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Every file of examples/ runs by itself, and docs/python.md quotes what stands in them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ineus_core.meshing import read_mesh
from ineus_core.sources import SyntheticSource

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def run_example(name: str, folder: Path) -> str:
    """Run an example in a process of its own, as what it registers stays registered."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loop_writes_the_surface_of_the_room(tmp_path: Path) -> None:
    assert "blocks of the mesh changed" in run_example("loop", tmp_path)
    mesh = read_mesh(tmp_path / "room.ply")
    off_m = np.abs(SyntheticSource().sdf(np.asarray(mesh.vertices, dtype=np.float64)))
    assert np.median(off_m) < 0.05


def test_own_loss_is_reported_and_falls(tmp_path: Path) -> None:
    values = re.findall(r"charbonnier ([\d.]+)", run_example("own_loss", tmp_path))
    assert len(values) == 3
    assert 0 < float(values[-1]) < float(values[0])


def test_own_source_shows_a_ball_of_the_configured_radius(tmp_path: Path) -> None:
    radius_m = re.search(r"vertices are ([\d.]+) m", run_example("own_source", tmp_path))
    assert radius_m is not None
    assert abs(float(radius_m.group(1)) - 0.4) < 0.05


def test_field_is_trained_behind_own_encoding(tmp_path: Path) -> None:
    values = re.findall(r"depth ([\d.]+)", run_example("own_encoding", tmp_path))
    assert len(values) == 3
    assert float(values[-1]) < float(values[0])


def test_own_policy_keeps_a_frame_each_half_second(tmp_path: Path) -> None:
    assert run_example("own_policy", tmp_path) == "6 keyframes, 30 steps\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_page_tells_of_every_example(path: Path) -> None:
    assert f"(../examples/{path.name})" in PAGE


@pytest.mark.parametrize("quote", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_page_quotes_examples(quote: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")]
    assert any(quote in text for text in texts), "this is in no file of examples/"
