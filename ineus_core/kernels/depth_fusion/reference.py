# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fusion of depth into blocks of voxels, in plain numpy."""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.geometry import project
from ineus_core.kernels.depth_fusion.layout import (
    COLOUR,
    COLOUR_WEIGHT,
    DISTANCE,
    SIDE,
    SNAP_VOX,
    WEIGHT,
    DepthImage,
    FusedValues,
    FusionLimits,
    block_keys,
)

LEAST_DEPTH_M = 0.02
JUMP = 0.03
"""Neighbouring returns whose depth differs by more than this share lie on different surfaces."""
NOISE_RANGE_M = 1.0
"""Beyond about here a return counts less. By the square of the noise it would be its fourth power,
which on Kinect frames lost more of what is seen from afar only than it gained in precision."""
SIGMAS = 3.0
NOTHING = 1e-4
"""Weight that rounding may leave of hundreds of returns that are taken back, which would be a
surface; one return from 10 m has a hundred times of it."""


def fuse_depth(
    values: Float[np.ndarray, "slots side side side columns"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    image: DepthImage,
    limits: FusionLimits,
    sign: int,
) -> None:
    """Average a depth image into blocks; see the door."""
    within = np.stack(np.meshgrid(*(np.arange(SIDE),) * 3, indexing="ij"), axis=-1)
    lattice = (SIDE * blocks[:, None, None, None] + within).reshape(-1, 3)
    to_camera = image.camera_from_world
    points = lattice * limits.voxel_m @ to_camera[:3, :3].T + to_camera[:3, 3]
    seen = (points[:, 2] > LEAST_DEPTH_M).nonzero()[0]
    u, v = project(image.camera, points[seen]).T
    height_px, width_px = image.depth_m.shape
    inside = (u >= 0) & (u < width_px) & (v >= 0) & (v < height_px)
    seen, u, v = seen[inside], u[inside], v[inside]
    row, column = v.astype(int), u.astype(int)
    returned = image.depth_m[row, column] > 0
    seen, u, v, row, column = (array[returned] for array in (seen, u, v, row, column))
    depth_m, cosine = (
        _depth_at(image.depth_m, u, v, row, column),
        image.incidence[row // 2, column // 2],
    )
    z = points[seen, 2]
    distance_m = (depth_m - z) * np.linalg.norm(points[seen] / z[:, None], axis=1) * cosine
    band_m = np.maximum(limits.truncation_m, SIGMAS * limits.noise_per_m2 * depth_m**2)
    # Chosen among five by 55 frames of a kitchen (docs/quality.md); that of air is the same, as
    # with a weight of 1 for it thin things vanished.
    weight = cosine / (1 + (depth_m / NOISE_RANGE_M) ** 2)
    # To 0 at the end of the band: how thick things are was not measured.
    fade = (band_m + distance_m) / (band_m - limits.voxel_m)
    weight *= np.where(distance_m < -limits.voxel_m, fade, 1)
    is_free = distance_m > band_m
    kept = distance_m > -band_m
    voxels = values.reshape(len(values), SIDE**3, values.shape[-1])
    places = np.repeat(slots, SIDE**3)[seen], seen % SIDE**3
    # Farther from the surface something else may be nearer, so the distance is cut off.
    near = np.minimum(distance_m, limits.truncation_m)
    most = limits.max_weight
    _average(voxels, places, kept, slice(DISTANCE, DISTANCE + 1), WEIGHT, near[:, None],
             sign * weight, most)  # fmt: skip
    rgb = image.rgb[row, column].astype(np.float64)
    _average(voxels, places, kept & ~is_free, slice(COLOUR, COLOUR + 3), COLOUR_WEIGHT, rgb,
             sign * weight, most)  # fmt: skip


def _depth_at(
    depth_m: Float[np.ndarray, "h w"],
    u: Float[np.ndarray, " n"],
    v: Float[np.ndarray, " n"],
    row: Int[np.ndarray, " n"],
    column: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Interpolate the depth between returns that lie on one surface, else take the nearest."""
    nearest = depth_m[row, column].astype(np.float64)
    left, top = np.floor(u - 0.5).astype(int), np.floor(v - 0.5).astype(int)
    height_px, width_px = depth_m.shape
    has_four = (left >= 0) & (top >= 0) & (left + 1 < width_px) & (top + 1 < height_px)
    left, top = left.clip(0, max(width_px - 2, 0)), top.clip(0, max(height_px - 2, 0))
    below, beside = np.minimum(top + 1, height_px - 1), np.minimum(left + 1, width_px - 1)
    four = np.stack(
        [depth_m[top, left], depth_m[top, beside], depth_m[below, left], depth_m[below, beside]]
    ).astype(np.float64)
    # A missing return is 0, and so a jump like that at an edge.
    is_one = has_four & (four.max(axis=0) - four.min(axis=0) <= JUMP * nearest)
    right, down = u - 0.5 - left, v - 0.5 - top
    a, b, c, d = four
    mixed = (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
    return np.where(is_one, mixed, nearest)


def _average(
    voxels: Float[np.ndarray, "slots cells columns"],
    places: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]],
    kept: Bool[np.ndarray, " n"],
    columns: slice,
    weight_column: int,
    new: Float[np.ndarray, "n c"],
    weight: Float[np.ndarray, " n"],
    most: float,
) -> None:
    """Move columns of voxels towards new values, each voxel once."""
    slot, cell = places[0][kept], places[1][kept]
    new, weight = new[kept], weight[kept]
    held = voxels[slot, cell, weight_column].astype(np.float64)
    total = np.minimum(held, most) + weight
    old = voxels[slot, cell, columns].astype(np.float64)
    step = (new - old) * (weight / np.where(total > NOTHING, total, 1))[:, None]
    voxels[slot, cell, columns] = old + np.where((total > NOTHING)[:, None], step, 0)
    left = np.minimum(held + weight, most)
    voxels[slot, cell, weight_column] = np.where(left > NOTHING, left, 0)


def values_at(
    points_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
    shares: Float[np.ndarray, "slots 2"],
) -> FusedValues:
    """Interpolate what blocks hold at points; see the door."""
    points = np.asarray(points_vox, dtype=np.float64)
    nearest = np.round(points)
    points = np.where(np.abs(points - nearest) < SNAP_VOX, nearest, points)
    distance, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    known, rgb_known = np.zeros(len(points)), np.zeros(len(points))
    for corner, share in _corners(points):
        block = np.floor_divide(corner, SIDE)
        slot = _slots_of(block, keys, slots)
        place = (corner - SIDE * block).T
        voxel = values[(np.maximum(slot, 0), *place)] if len(values) else np.zeros((len(slot), 6))
        of_distance = share * ((slot >= 0) & (voxel[:, WEIGHT] > 0))
        of_colour = share * ((slot >= 0) & (voxel[:, COLOUR_WEIGHT] > 0))
        distance += of_distance * voxel[:, DISTANCE]
        rgb += of_colour[:, None] * voxel[:, COLOUR : COLOUR + 3]
        known, rgb_known = known + of_distance, rgb_known + of_colour
    return FusedValues(
        (distance / np.where(known > 0, known, 1)).astype(np.float32),
        known.astype(np.float32),
        (rgb / np.where(rgb_known > 0, rgb_known, 1)[:, None]).astype(np.float32),
        rgb_known.astype(np.float32),
        _shares_at(np.asarray(points_vox, dtype=np.float64), keys, slots, shares),
    )


def cell_jumps(
    centres_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " n"]:
    """Return by how much the corners of cells differ; see the door."""
    found = np.full((8, len(centres_vox)), np.nan, np.float32)
    for row, (corner, _) in zip(found, _corners(np.asarray(centres_vox, np.float64)), strict=True):
        block = np.floor_divide(corner, SIDE)
        slot = _slots_of(block, keys, slots)
        held = (slot >= 0).nonzero()[0]
        voxel = values[(slot[held], *(corner - SIDE * block)[held].T)]
        row[held] = np.where(voxel[:, WEIGHT] > 0, voxel[:, DISTANCE], np.nan)
    jumps = found.max(axis=0, initial=-np.inf) - found.min(axis=0, initial=np.inf)
    return np.where(np.isnan(jumps), np.float32(np.inf), jumps).astype(np.float32)


def _shares_at(
    points: Float[np.ndarray, "n 3"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
    shares: Float[np.ndarray, "slots 2"],
) -> Float[np.ndarray, "n 2"]:
    """Interpolate the shares between the centres of blocks."""
    mean, total = np.zeros((len(points), 2)), np.zeros(len(points))
    for block, share in _corners(points / SIDE - 0.5):
        slot = _slots_of(block, keys, slots)
        of_block = share * (slot >= 0)
        if len(shares):
            mean += of_block[:, None] * shares[np.maximum(slot, 0)]
        total += of_block
    mean /= np.where(total > 0, total, 1)[:, None]
    return np.where(total[:, None] > 0, mean, 1).astype(np.float32)


def _corners(
    points: Float[np.ndarray, "n 3"],
) -> list[tuple[Int[np.ndarray, "n 3"], Float[np.ndarray, " n"]]]:
    """Return the corners of the cells that points lie in, and the share of each in its point."""
    low = np.floor(points)
    fraction = points - low
    return [
        (
            (low + corner).astype(np.int64),
            np.where(corner, fraction, 1 - fraction).prod(axis=1),
        )
        for corner in product((0, 1), repeat=3)
    ]


def _slots_of(
    blocks: Int[np.ndarray, "n 3"], keys: Int[np.ndarray, " m"], slots: Int[np.ndarray, " m"]
) -> Int[np.ndarray, " n"]:
    """Return the slots of blocks, -1 where one is not in use."""
    if len(keys) == 0:
        return np.full(len(blocks), -1)
    wanted = block_keys(blocks)
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[at] == wanted, slots[at], -1)
