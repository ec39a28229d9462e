# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The surface that is held: how many blocks an update has that may take a given time."""

import torch
from tiny_scene import CPU
from torch import Tensor

from ineus_core.meshing import MeshingConfig, Surface


def test_an_update_has_as_many_blocks_as_fit_its_time() -> None:
    now_s = [0.0]

    def nothing_observed(points: Tensor) -> Tensor:
        now_s[0] += 1 / 128
        return torch.zeros(len(points), dtype=torch.bool)

    config = MeshingConfig(voxel_size_m=0.1, block_size_vox=4, blocks_per_update=1000)
    surface = Surface(config, CPU, now_s=lambda: now_s[0])
    surface.dirty.add([(i, 0, 0) for i in range(2000)])
    counts = []
    for within_s in (1.0, 1.0, 0.5, 1e-6, None):
        blocks = surface.take_dirty(within_s)
        counts.append(len(blocks))
        surface.renew(blocks, lambda p: p[:, 0], lambda p, n: p, nothing_observed, True, 0)
    # Before any was timed 8, then at most four times as many, never fewer than 4, and as many as
    # configured without a time.
    assert counts == [8, 32, 64, 4, 1000]
    assert surface.dirty.known == 2000 - sum(counts)
