# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fusion of depth and colour into blocks of voxels (Curless & Levoy 1996), and what they hold.

Versions: plain numpy, numba. A block is a cube of `SIDE` voxels along each side; its values are
those of the corners `SIDE * index` to `SIDE * index + SIDE - 1` of the lattice of voxels.
"""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.depth_fusion import reference
from ineus_core.kernels.depth_fusion.layout import (
    COLOUR,
    COLOUR_WEIGHT,
    COLUMNS,
    DISTANCE,
    SIDE,
    WEIGHT,
    DepthImage,
    FusedValues,
    FusionLimits,
    block_keys,
    blocks_of_keys,
)
from ineus_core.kernels.dispatch import HOST, fastest

__all__ = [
    "COLOUR",
    "COLOUR_WEIGHT",
    "COLUMNS",
    "DISTANCE",
    "SIDE",
    "WEIGHT",
    "DepthImage",
    "FusedValues",
    "FusionLimits",
    "block_keys",
    "blocks_of_keys",
    "cell_jumps",
    "fuse_depth",
    "values_at",
]

_TILTED = 12
"""More coefficients than these describe a tilted sensor, which only the reference knows."""


def fuse_depth(
    values: Float[np.ndarray, "slots side side side columns"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    image: DepthImage,
    limits: FusionLimits,
    sign: int,
) -> None:
    """Average what a depth image says of the voxels of blocks into them.

    The distance of a voxel is that to the plane of the return that its ray meets, cut off at the
    truncation, by which also the weight fades behind the surface. What lies in front of it by more
    than the truncation is free, has the truncation as its distance, and gets no colour.

    Args:
        values: Of all blocks, by `COLUMNS`; changed in place.
        slots: Rows of `values`.
        blocks: Their places.
        image: What was measured.
        limits: Sizes.
        sign: 1, or -1 to take back what was averaged in.
    """
    is_tilted = len(image.camera.distortion) > _TILTED
    operator = reference if is_tilted else fastest("depth_fusion", HOST)
    operator.fuse_depth(values, slots, blocks, image, limits, sign)


def values_at(
    points_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
    shares: Float[np.ndarray, "slots 2"],
) -> FusedValues:
    """Interpolate what blocks hold at points.

    Args:
        points_vox: In voxels.
        values: Of all blocks.
        keys: `block_keys` of those in use, rising.
        slots: Their rows of `values`.
        shares: Numbers of each block that are interpolated between the centres of blocks.
    """
    return fastest("depth_fusion", HOST).values_at(points_vox, values, keys, slots, shares)


def cell_jumps(
    centres_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " n"]:
    """Return by how much the distances at the corners of cells of the lattice differ, in m.

    It is infinite where that at a corner is not known. Of a plane it is a diagonal at most.

    Args:
        centres_vox: In voxels.
        values: This and what follows as of `values_at`.
    """
    return fastest("depth_fusion", HOST).cell_jumps(centres_vox, values, keys, slots)
