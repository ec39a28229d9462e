# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The same pixels through four layouts of photographs: the same surface, in their coordinates.

Measured when this was written: two seeds on one layout differ by a mean distance of 2.1 to 2.7 cm,
and from the truth by 4.7 and 4.8 cm after 300 steps.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import scene_formats as formats
from tiny_scene import CPU, tiny_config

from ineus_core.evaluation import MeshMetrics, evaluate_mesh
from ineus_core.meshing import moved_mesh
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import (
    SourceConfig,
    SyntheticConfig,
    SyntheticSource,
    dataset_from_world,
    open_source,
    similarity_scale,
)
from ineus_core.types import Mesh

VIEWS, SIZE_PX, STEPS = 24, 64, 200
WRITERS: dict[str, Callable[..., Path]] = {
    "blender": formats.write_blender,
    "dtu": formats.write_dtu,
    "colmap": formats.write_colmap,
    "blended_mvs": formats.write_blended_mvs,
}
ORIGINAL = {name: np.eye(4) if name == "blender" else formats.similarity() for name in WRITERS}
"""Coordinates of the layout's files from those of the scene."""


@cache
def surface(layout: str, seed: int) -> Mesh:
    """Return what is saved of a short training, in the coordinates of the data set."""
    if layout == "colmap":
        pytest.importorskip("pycolmap")
    config = SourceConfig.model_validate({"blended_mvs": {"depth": False}})
    with TemporaryDirectory() as folder:
        scene = formats.object_scene(VIEWS, SIZE_PX)
        source = open_source(WRITERS[layout](Path(folder), scene=scene), config=config)
        frames = list(source)
    # Lengths of the settings are those of the world, which some layouts have scaled.
    metres = similarity_scale(np.linalg.inv(dataset_from_world(source)) @ ORIGINAL[layout])
    settings: dict[str, Any] = {
        "seed": seed,
        "field": {"levels": 6, "log2_entries": 13, "hidden": 32},
        "keyframes": {"capacity": VIEWS},
        "training": {"rays_per_step": 128, "samples_per_step": 4096, "background": "white"},
        "occupancy": {"max_steps": 128, "cell_m": 0.06 * metres},
        "meshing": {"voxel_size_m": 0.04 * metres, "min_component_triangles": 100},
    }
    reconstructor = Reconstructor(tiny_config(**settings), CPU)
    reconstructor.save_meshes_in(dataset_from_world(source))
    reconstructor.expect([frame.world_from_camera for frame in frames])
    for frame in frames:
        reconstructor.add_frame(frame)
    for step in range(STEPS):
        reconstructor.refine(1.0 - step / STEPS)
        reconstructor.step()
    reconstructor.extract_mesh(everything=True)
    return reconstructor.mesh_to_save()


@cache
def in_scene(layout: str, seed: int) -> Mesh:
    """Return the surface, moved from the data set's coordinates to those of the scene."""
    return moved_mesh(surface(layout, seed), np.linalg.inv(ORIGINAL[layout]))


def apart(first: Mesh, second: "Mesh | np.ndarray") -> MeshMetrics:
    return evaluate_mesh(first, second, (0.05,), samples=20_000)


def chamfer_to_truth(mesh: Mesh) -> float:
    source = SyntheticSource(
        SyntheticConfig(scene="object", frames=VIEWS, width_px=SIZE_PX, height_px=SIZE_PX)
    )
    return apart(mesh, source.reference_points(20_000)).chamfer_m


@pytest.mark.parametrize("layout", ["dtu", "colmap", "blended_mvs"])
def test_each_layout_gives_the_surface_that_another_seed_would_give(layout: str) -> None:
    first = in_scene("blender", 0)
    between_seeds = apart(in_scene("blender", 1), first)
    found = apart(in_scene(layout, 0), first)
    assert between_seeds.chamfer_m < 0.05
    assert found.chamfer_m < 1.5 * between_seeds.chamfer_m
    assert found.f_score[0.05] > between_seeds.f_score[0.05] - 0.1
    assert abs(chamfer_to_truth(in_scene(layout, 0)) - chamfer_to_truth(first)) < 0.02
    assert chamfer_to_truth(in_scene(layout, 0)) < 0.12


def test_the_world_of_dtu_is_the_scene_itself_so_training_is_the_same() -> None:
    np.testing.assert_allclose(
        in_scene("dtu", 0).vertices, in_scene("blender", 0).vertices, rtol=0, atol=1e-3
    )


def test_saved_surfaces_lie_where_the_files_of_the_data_set_say() -> None:
    middle = formats.similarity()[:3, 3]
    for layout in ("dtu", "colmap", "blended_mvs"):
        mesh = surface(layout, 0)
        assert np.linalg.norm(mesh.vertices.mean(axis=0) - middle) < 0.2 * 250
        # The object fills most of the unit sphere, which is 250 units large there.
        assert 250 < np.ptp(mesh.vertices, axis=0).max() < 2.4 * 250
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
