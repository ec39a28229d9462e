# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Views on a GPU, by distances first, against the torch path on the same field."""

import numpy as np
import pytest
import torch

from ineus_core.fields import FieldConfig, make_field
from ineus_core.rendering import ImageRenderer, OccupancyConfig, OccupancyGrid
from ineus_core.types import Camera

pytestmark = pytest.mark.gpu
CAMERA = Camera(101, 77, 90.0, 90.0, 50.5, 38.5)
BOX = np.array([[-1.0, -1, -1], [1, 1, 1]])


def field_of(backend: str, inv_s: float):
    torch.manual_seed(0)
    config = FieldConfig(backend=backend, log2_entries=14, initial_inv_s=inv_s)
    return make_field(config, "object", BOX, 0.02, torch.device("cuda"))


@pytest.mark.parametrize("inv_s", [80.0, 400.0])
@pytest.mark.parametrize("has_sensor", [False, True])
def test_matches_torch(inv_s: float, has_sensor: bool) -> None:
    fused, plain = field_of("triton", inv_s), field_of("torch", inv_s)
    plain.load_state_dict(fused.state_dict())
    grid = OccupancyGrid(
        OccupancyConfig(), 0.02, torch.from_numpy(BOX).float(), torch.device("cuda")
    )
    index = torch.ones_like(grid.occupied).nonzero()
    near = fused.sdf(grid._centres(index)).abs() < 0.1
    if has_sensor:
        grid.log_odds.view(-1)[:] = torch.where(near, 6, -1).to(torch.int8)
        grid.has_sensor = True
        grid._combine()
    else:
        grid.occupied.view(-1)[:] = near
    pose = torch.eye(4, device="cuda")
    pose[2, 3] = -2.0
    ours = ImageRenderer(fused, grid).render(CAMERA, pose)
    twin = ImageRenderer(plain, grid).render(CAMERA, pose)
    assert (twin.opacity > 0.9).mean() > 0.02
    np.testing.assert_allclose(ours.opacity, twin.opacity, atol=0.02)
    both = (ours.depth_m > 0) & (twin.depth_m > 0)
    assert (both == (twin.depth_m > 0)).mean() > 0.995
    np.testing.assert_allclose(ours.depth_m[both], twin.depth_m[both], atol=0.01)
    assert np.abs(ours.rgb[both].astype(int) - twin.rgb[both]).mean() < 1.0
    assert (ours.normal[both] * twin.normal[both]).sum(-1).mean() > 0.999


def test_a_camera_that_sees_nothing() -> None:
    grid = OccupancyGrid(
        OccupancyConfig(), 0.02, torch.from_numpy(BOX).float(), torch.device("cuda")
    )
    pose = torch.eye(4, device="cuda")
    pose[2, 3] = 5.0
    picture = ImageRenderer(field_of("triton", 400.0), grid).render(CAMERA, pose, background=1.0)
    assert (picture.rgb == 255).all()
    assert not picture.depth_m.any()
