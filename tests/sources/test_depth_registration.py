# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth seen by a camera of its own, brought into the colour camera: by hand and in a room."""

import numpy as np
import pytest
from tiny_scene import pose

from ineus_core.errors import SourceError
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.sources.depth_registration import register_depth
from ineus_core.types import Camera

COLOR = Camera(40, 30, 30.0, 30.0, 20.0, 15.0)


def test_the_same_camera_gives_the_same_depth() -> None:
    depth_m = np.random.default_rng(0).uniform(1, 3, (30, 40)).astype(np.float32)
    depth_m[3, 4] = 0.0
    depth_m[5, 6] = np.nan
    found = register_depth(depth_m, COLOR, COLOR, np.eye(4))
    assert np.isfinite(found).all()
    kept = np.isfinite(depth_m) & (depth_m > 0)
    # A square that overlaps its neighbours may hide a little of what lies behind.
    assert (found[kept] <= depth_m[kept] + 1e-6).all()
    assert (found[kept] == depth_m[kept]).mean() > 0.9
    flat = np.full((30, 40), 2.0, np.float32)
    np.testing.assert_allclose(register_depth(flat, COLOR, COLOR, np.eye(4)), 2.0, rtol=1e-6)


def test_a_baseline_shifts_by_the_disparity_and_the_nearer_hides() -> None:
    depth_m = np.full((30, 40), 3.0, np.float32)
    depth_m[10:20, 10:20] = 1.0
    # The colour camera stands 0.1 m to the right: 3 px at 1 m, 1 px at 3 m.
    found = register_depth(depth_m, COLOR, COLOR, pose(x=-0.1))
    assert (found[10:20, 7:17] == 1.0).all()
    assert (found[:10, :39] == 3.0).all() and (found[:, 39] == 0.0).all()
    # What the near square hid from the depth camera, it did not measure.
    assert (found[12:18, 17:19] == 0.0).all()


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_another_resolution_leaves_no_holes(scale: float) -> None:
    width, height, f = round(40 * scale), round(30 * scale), 30 * scale
    depth_camera = Camera(width, height, f, f, width / 2, height / 2)
    depth_m = np.full((height, width), 2.0, np.float32)
    found = register_depth(depth_m, depth_camera, COLOR, pose(yaw_deg=2.0))
    assert (found[2:-2, 3:-3] > 0).all()
    assert abs(float(np.median(found)) - 2.0) < 0.1


def test_a_room_through_two_lenses() -> None:
    color = SyntheticSource(SyntheticConfig(frames=4, width_px=80, height_px=60)).frame(1)
    assert color.depth_m is not None
    source = SyntheticSource(SyntheticConfig(frames=4, width_px=160, height_px=120))
    depth = source.frame(1)
    assert depth.depth_m is not None
    found = register_depth(depth.depth_m, depth.camera, color.camera, np.eye(4))
    both = (found > 0) & (color.depth_m > 0)
    assert both.mean() > 0.95
    assert np.median(np.abs(found - color.depth_m)[both]) < 0.01


def test_nothing_measured_gives_nothing() -> None:
    empty = np.zeros((30, 40), np.float32)
    assert not register_depth(empty, COLOR, COLOR, np.eye(4)).any()
    behind = register_depth(np.full((30, 40), 1.0, np.float32), COLOR, COLOR, pose(yaw_deg=180))
    assert not behind.any()


@pytest.mark.parametrize("shape", [(24, 32), (60, 80), (40, 30)])
def test_depth_of_another_size_than_its_camera_is_named(shape: tuple[int, int]) -> None:
    depth_m = np.full(shape, 2.0, np.float32)
    with pytest.raises(SourceError, match=rf"{shape[1]} x {shape[0]} pixels: .* 40 x 30 of its"):
        register_depth(depth_m, COLOR, COLOR, np.eye(4))
