# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus mesh --texture`: the file shows what was never trained on as well as the field does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from command import CommandResult
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.evaluation import psnr, render_textured_picture
from ineus_core.meshing import read_mesh
from ineus_core.pipeline import compare_view
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import is_held_out
from ineus_core.types import TexturedMesh

pytest.importorskip("xatlas", reason="needs xatlas: pip install 'ineus_ros[texture]'")

_EVERY = 6


def read_textured(path: Path) -> TexturedMesh:
    """Read a GLB as any other program does."""
    loaded = trimesh.load_mesh(path, process=False)
    texture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    return TexturedMesh(read_mesh(path), np.asarray(loaded.visual.uv, dtype=np.float32), texture)


@pytest.mark.slow
def test_held_out_views_are_within_1_db_of_the_field(
    ineus: Callable[..., CommandResult], tmp_path: Path
) -> None:
    frames = list(room_source(frames=36))
    reconstructor = Reconstructor(tiny_config(keyframes={"capacity": 32}), CPU)
    for index, frame in enumerate(frames):
        if not is_held_out(index, _EVERY):
            reconstructor.add_frame(frame)
    for _ in range(400):
        reconstructor.step()
    reconstructor.save(tmp_path / "checkpoint")
    file = tmp_path / "mesh.glb"
    result = ineus("mesh", tmp_path / "checkpoint", "--texture", 1024, "--out", file)
    assert result.exit_code == 0, result.stderr
    assert "1024 x 1024" in result.stdout
    made = read_textured(file)
    of_mesh, of_field = [], []
    for index, frame in enumerate(frames):
        if is_held_out(index, _EVERY):
            view = compare_view(reconstructor, frame, 80)
            seen = render_textured_picture(made, frame.world_from_camera, frame.camera)
            of_mesh.append(psnr(seen, frame.rgb))
            of_field.append(view.figures["psnr"])
    assert np.mean(of_mesh) > np.mean(of_field) - 1.0
    # There is something to show.
    assert np.mean(of_field) > 15
