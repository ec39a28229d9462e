# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Splatting of depth by numba against plain numpy, and arrays that do not fit their cameras."""

import numpy as np
import pytest
from tiny_scene import pose

from ineus_core.kernels.depth_splatting import cpu, reference
from ineus_core.types import Camera


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("none", ()),
        ("plumb_bob", (0.1, -0.05, 0.002, -0.003, 0.01)),
        ("rational_polynomial", (0.1, -0.05, 0.002, -0.003, 0.01, 0.02, 0.01, -0.01)),
        ("equidistant", (0.02, -0.01, 0.003, 0.001)),
    ],
)
def test_the_kernel_agrees_with_numpy_for_every_lens(
    model: str, coefficients: tuple[float, ...]
) -> None:
    color = Camera(64, 48, 40.0, 41.0, 31.0, 25.0, model, coefficients)
    depth_camera = Camera(50, 40, 35.0, 35.0, 25.0, 20.0)
    depth_m = np.random.default_rng(1).uniform(0.5, 4, (40, 50)).astype(np.float32)
    depth_m[::7] = 0.0
    place = pose(x=0.05, y=-0.02, z=0.01, yaw_deg=4.0)
    by_numba, by_numpy = (np.full((48, 64), np.inf, np.float32) for _ in range(2))
    cpu.splat_depth(depth_m, depth_camera, color, place, by_numba)
    reference.splat_depth(depth_m, depth_camera, color, place, by_numpy)
    # A centre that lies on the border of a square may fall to either side.
    assert (by_numba == by_numpy).mean() > 0.99
    assert np.isfinite(by_numba).mean() > 0.5


def test_an_image_of_another_size_is_refused() -> None:
    camera = Camera(40, 30, 30.0, 30.0, 20.0, 15.0)
    depth_m, registered = np.ones((30, 39), np.float32), np.ones((30, 40), np.float32)
    with pytest.raises(ValueError, match=r"depth of shape \(30, 39\): expected \(30, 40\)"):
        cpu.splat_depth(depth_m, camera, camera, np.eye(4), registered)
