# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a view still shows what blocks of voxels hold, by numba: one pass over the voxels."""

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.kernels.depth_comparison import NEAREST_M
from ineus_core.kernels.depth_fusion import COLUMNS, SIDE
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.voxel_evidence.reference import SURFACE_VOX, DepthView, EvidenceLimits


def forget_contradicted(
    values: Float[np.ndarray, "slots side side side columns"],
    evidence: Int8[np.ndarray, "slots side side side"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    view: DepthView,
    limits: EvidenceLimits,
) -> Bool[np.ndarray, "n side side side"]:
    """Empty what a view speaks against; see the door."""
    expect_shape("values", values, (-1, SIDE, SIDE, SIDE, COLUMNS))
    expect_shape("evidence", evidence, (len(values), SIDE, SIDE, SIDE))
    expect_shape("blocks", blocks, (len(slots), 3))
    expect_shape("nearest_m", view.nearest_m, view.depth_m.shape)
    if len(slots) and not 0 <= slots.min() <= slots.max() < len(values):
        raise ValueError(f"slots {slots.min()} to {slots.max()}: expected below {len(values)}")
    is_gone = np.zeros((len(slots), SIDE, SIDE, SIDE), np.bool_)
    _judge(
        values,
        evidence,
        plain(slots, np.int64),
        plain(blocks, np.int64),
        plain(view.depth_m, np.float32),
        plain(view.nearest_m, np.float32),
        np.array(view.intrinsics, np.float64),
        plain(view.camera_from_world, np.float64),
        (view.tolerance_m, view.tolerance_per_m, limits.voxel_m),
        (limits.least, limits.most),
        is_gone,
    )
    return is_gone


@jit()
def _judge(  # type: ignore[no-untyped-def]
    values, evidence, slots, blocks, depth_m, nearest_m, pinhole, to_camera, sizes, bounds, is_gone
):
    least, most = bounds
    surface_m = SURFACE_VOX * sizes[2]
    for at in range(len(slots)):
        slot = slots[at]
        for place in range(SIDE * SIDE * SIDE):
            i, j, k = place // (SIDE * SIDE), place // SIDE % SIDE, place % SIDE
            voxel = values[slot, i, j, k]
            # The weight first, as most voxels have none.
            if not voxel[1] > 0 or not voxel[0] < surface_m:
                continue
            told = _told(
                sizes[2] * (SIDE * blocks[at, 0] + i),
                sizes[2] * (SIDE * blocks[at, 1] + j),
                sizes[2] * (SIDE * blocks[at, 2] + k),
                depth_m, nearest_m, pinhole, to_camera, sizes,
            )  # fmt: skip
            counted = min(evidence[slot, i, j, k] + told, most)
            if counted <= least:
                voxel[:] = 0
                counted = 0
                is_gone[at, i, j, k] = True
            evidence[slot, i, j, k] = counted


@jit(inline="always")
def _told(px, py, pz, depth_m, nearest_m, pinhole, to_camera, sizes):  # type: ignore[no-untyped-def]
    """Return 1 where the view shows a point, -1 where it looks through it, else 0."""
    z = to_camera[2, 0] * px + to_camera[2, 1] * py + to_camera[2, 2] * pz + to_camera[2, 3]
    if not z > NEAREST_M:
        return 0
    x = to_camera[0, 0] * px + to_camera[0, 1] * py + to_camera[0, 2] * pz + to_camera[0, 3]
    y = to_camera[1, 0] * px + to_camera[1, 1] * py + to_camera[1, 2] * pz + to_camera[1, 3]
    u, v = pinhole[0] * x / z + pinhole[2], pinhole[1] * y / z + pinhole[3]
    if not (u >= 0 and v >= 0 and u < depth_m.shape[1] and v < depth_m.shape[0]):
        return 0
    there = np.float64(depth_m[int(v), int(u)])
    limit = sizes[0] + sizes[1] * z * z
    if there > 0 and abs(there - z) <= limit:
        return 1
    if np.float64(nearest_m[int(v), int(u)]) > z + limit:
        return -1
    return 0
