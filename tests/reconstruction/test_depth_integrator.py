# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the depth of a keyframe tells: from the frame on the host, and as it is stored."""

from dataclasses import replace

import numpy as np
import torch
from tiny_scene import CAMERA, CPU, wall_frame

from ineus_core.keyframes import DepthConfig, KeyframeBuffer, KeyframeConfig
from ineus_core.meshing import DirtyBlocks
from ineus_core.reconstruction.depth_integrator import DepthIntegrator
from ineus_core.rendering import OccupancyConfig, OccupancyGrid
from ineus_core.types import Frame

BOX = torch.tensor([[-3.0, -3.0, -0.5], [3.0, 3.0, 5.0]])


def integrator() -> tuple[DepthIntegrator, OccupancyGrid, DirtyBlocks]:
    grid = OccupancyGrid(OccupancyConfig(), 0.1, BOX, CPU)
    dirty = DirtyBlocks(0.4, 0.05, CPU)
    depth = DepthConfig(max_m=4.0)
    return DepthIntegrator(depth, 0.1, 0.03, grid, dirty, CPU), grid, dirty


def partly_seen() -> Frame:
    """Return a wall at 2 m without returns at the top, of which the left third may not be used."""
    depth_m = np.full((CAMERA.height_px, CAMERA.width_px), 2.0, np.float32)
    depth_m[:10] = 0
    mask = np.ones(depth_m.shape, dtype=bool)
    mask[:, :14] = False
    return replace(wall_frame(0, 2.0, mask=mask), depth_m=depth_m)


def test_stored_depth_tells_what_the_frame_does_also_of_pixels_that_may_not_be_used() -> None:
    frame = partly_seen()
    from_host, grid, _ = integrator()
    from_host.integrate(frame)
    from_store, grid_of_stored, _ = integrator()
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, depth=DepthConfig(max_m=4.0))
    # As on a GPU, whose kernels take it from where it lies.
    from_store._integrate_on_gpu(buffer, buffer.add(frame))
    # What falls on the face between two cells may be rounded into either.
    assert float((grid.log_odds != grid_of_stored.log_odds).float().mean()) < 3e-4
    observed = grid.observed.cells
    assert float(observed.float().mean()) > 3e-3
    assert float((observed != grid_of_stored.observed.cells).float().mean()) < 1e-4
