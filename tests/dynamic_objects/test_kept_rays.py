# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What a keyframe tells of points: the same as of the pixels of another view."""

import numpy as np
import torch

from ineus_core.dynamic_objects import told_of
from ineus_core.kernels.depth_comparison import DepthViews, compare_depth
from ineus_core.kernels.voxel_evidence import DepthView

INTRINSICS = (50.0, 50.0, 20.0, 15.0)


def test_points_are_told_as_pixels_are() -> None:
    rng = np.random.default_rng(5)
    depth_m = rng.uniform(1, 4, (2, 30, 40)).astype(np.float32)
    depth_m[:, ::5, ::3] = 0
    views = DepthViews(depth_m, depth_m, np.tile(INTRINSICS, (2, 1)), 0.5, 0.01)
    motion = np.eye(4)
    motion[:3, 3] = 0.11, -0.05, 0.2
    expected = compare_depth(views, np.array([[0, 1]]), motion[None])[0]
    rows, columns = np.mgrid[:30, :40]
    rays = np.stack(((columns + 0.5 - 20) / 50, (rows + 0.5 - 15) / 50, np.ones((30, 40))), -1)
    points = torch.from_numpy((rays * depth_m[0][..., None]).reshape(-1, 3)).float()
    witness = DepthView(depth_m[1], depth_m[1], INTRINSICS, motion, 0.5, 0.01)
    told = told_of(witness, points).numpy().reshape(30, 40)
    # Pixels without a return are no points.
    has_return = depth_m[0] > 0
    # In single precision a point may fall on the other side of a pixel's edge.
    assert (told == expected)[has_return].mean() > 0.995
    assert {-1, 0, 1} <= set(np.unique(told).tolist())
