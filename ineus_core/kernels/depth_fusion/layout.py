# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How fused blocks lie in memory, what is fused into them, and what comes out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from ineus_core.types import Camera

SIDE = 8
"""Voxels along the side of a block."""
DISTANCE, WEIGHT, COLOUR, COLOUR_WEIGHT = 0, 1, 2, 5
"""Columns of a voxel: m, weight of 1 for a near return met head-on, colour from 0 to 255."""
COLUMNS = 6
SNAP_VOX = 5e-3
"""A point so near to a corner of the lattice is that corner, in single precision."""
# Three of them and a sign fill 64 bits.
_BITS = 21
_OFFSET = 1 << (_BITS - 1)


@dataclass(frozen=True)
class DepthImage:
    """What a camera with depth has measured, and from where."""

    depth_m: Float[np.ndarray, "h w"]
    """0 where there is nothing to fuse."""
    incidence: Float[np.ndarray, "half_h half_w"]
    """Cosine between the ray and the surface's normal, above 0, of every second row and column."""
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: Camera
    camera_from_world: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class FusionLimits:
    """Sizes of fusion."""

    voxel_m: float
    truncation_m: float
    """Least half width of the band around the surface."""
    noise_per_m2: float
    """Noise of a return by the square of its depth, 1/m; the band is at least three times it."""
    max_weight: float
    """Beyond it, what is new counts more than its share, so that the map follows changes."""


@dataclass(frozen=True)
class FusedValues:
    """What blocks hold at points."""

    distance_m: Float[np.ndarray, " n"]
    """0 where nothing is known."""
    known: Float[np.ndarray, " n"]
    """Share of the point, 0 to 1, that corners with a distance have."""
    rgb: Float[np.ndarray, "n 3"]
    """0 to 255."""
    rgb_known: Float[np.ndarray, " n"]
    """As `known`, of corners with a colour."""
    shares: Float[np.ndarray, "n 2"]
    """Of the field, interpolated between blocks that are in use; 1 where none is around."""


def half_size(camera: Camera) -> tuple[int, int]:
    """Return how many rows and columns there are of every second one."""
    return (camera.height_px + 1) // 2, (camera.width_px + 1) // 2


def block_keys(blocks: Int[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """Pack indices of blocks, of less than a million along each axis, into numbers that sort."""
    x, y, z = (np.asarray(blocks, dtype=np.int64) + _OFFSET).T
    return (x << 2 * _BITS) | (y << _BITS) | z


def blocks_of_keys(keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 3"]:
    """Unpack what `block_keys` has packed."""
    mask = (1 << _BITS) - 1
    columns = (keys >> 2 * _BITS, keys >> _BITS & mask, keys & mask)
    return np.stack(columns, axis=-1) - _OFFSET
