# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fusion of depth into blocks of voxels, by numba: one pass over the voxels of a frame."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.kernels.depth_fusion.layout import (
    COLUMNS,
    SIDE,
    SNAP_VOX,
    DepthImage,
    FusedValues,
    FusionLimits,
    half_size,
)
from ineus_core.kernels.depth_fusion.reference import (
    JUMP,
    LEAST_DEPTH_M,
    NOISE_RANGE_M,
    NOTHING,
    SIGMAS,
)
from ineus_core.kernels.depth_splatting.cpu import bend
from ineus_core.kernels.jit import jit, plain
from ineus_core.kernels.shapes import expect_shape


def fuse_depth(
    values: Float[np.ndarray, "slots side side side columns"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    image: DepthImage,
    limits: FusionLimits,
    sign: int,
) -> None:
    """Average a depth image into blocks; see the door."""
    camera = image.camera
    size = camera.height_px, camera.width_px
    expect_shape("depth", image.depth_m, size)
    expect_shape("incidence", image.incidence, half_size(camera))
    expect_shape("rgb", image.rgb, (*size, 3))
    expect_shape("values", values, (-1, SIDE, SIDE, SIDE, COLUMNS))
    expect_shape("blocks", blocks, (len(slots), 3))
    if len(slots) and not 0 <= slots.min() <= slots.max() < len(values):
        raise ValueError(f"slots {slots.min()} to {slots.max()}: expected below {len(values)}")
    distortion = np.zeros(12)
    distortion[: len(camera.distortion)] = camera.distortion
    _fuse(
        values,
        plain(slots, np.int64),
        plain(blocks, np.int64),
        plain(image.depth_m, np.float32),
        plain(image.incidence, np.float32),
        plain(image.rgb, np.uint8),
        plain(image.camera_from_world, np.float64),
        np.array((camera.fx, camera.fy, camera.cx, camera.cy)),
        camera.distortion_model == "equidistant",
        distortion,
        (limits.voxel_m, limits.truncation_m, limits.noise_per_m2, limits.max_weight),
        float(sign),
    )


def values_at(
    points_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
    shares: Float[np.ndarray, "slots 2"],
) -> FusedValues:
    """Interpolate what blocks hold at points; see the door."""
    expect_shape("points", points_vox, (-1, 3))
    expect_shape("values", values, (-1, SIDE, SIDE, SIDE, COLUMNS))
    expect_shape("slots", slots, (len(keys),))
    expect_shape("shares", shares, (len(values), 2))
    found = np.zeros((len(points_vox), 8), np.float32)
    # Room that the kernel needs; it would take long to compile what makes it. No block is
    # as far away as the first one around.
    corner, fraction, around = np.zeros(3, np.int64), np.zeros(3), np.full(11, 1 << 40, np.int64)
    _interpolate(
        plain(points_vox, np.float64), values, keys, slots, shares, found, corner,
        fraction, around,
    )  # fmt: skip
    return FusedValues(found[:, 0], found[:, 1], found[:, 2:5], found[:, 5], found[:, 6:8])


def cell_jumps(
    centres_vox: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "slots side side side columns"],
    keys: Int[np.ndarray, " m"],
    slots: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " n"]:
    """Return by how much the corners of cells differ; see the door."""
    expect_shape("centres", centres_vox, (-1, 3))
    expect_shape("values", values, (-1, SIDE, SIDE, SIDE, COLUMNS))
    expect_shape("slots", slots, (len(keys),))
    jumps = np.full(len(centres_vox), np.inf, np.float32)
    _look_at_cells(plain(centres_vox, np.float64), values, keys, slots, jumps)
    return jumps


@jit(inline="always")
def _depth_at(depth_m, u, v, column, row):  # type: ignore[no-untyped-def]
    """Interpolate the depth between returns that lie on one surface, else take the nearest."""
    nearest = depth_m[row, column]
    # Centres of pixels are at halves.
    left, top = int(np.floor(u - 0.5)), int(np.floor(v - 0.5))
    if left < 0 or top < 0 or left + 1 >= depth_m.shape[1] or top + 1 >= depth_m.shape[0]:
        return nearest
    a, b = depth_m[top, left], depth_m[top, left + 1]
    c, d = depth_m[top + 1, left], depth_m[top + 1, left + 1]
    # A missing return is 0, and so a jump like that at an edge.
    if max(a, b, c, d) - min(a, b, c, d) > JUMP * nearest:
        return nearest
    right, down = u - 0.5 - left, v - 0.5 - top
    return (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down


@jit(inline="always")
def _average(voxel, value, weight, column, weight_column, most):  # type: ignore[no-untyped-def]
    """Move one column of a voxel towards a value; the caller then adds to the weight."""
    held = min(voxel[weight_column], most)
    total = held + weight
    # What has been taken back as a whole has no mean.
    if total > NOTHING:
        voxel[column] += (value - voxel[column]) * weight / total


@jit(inline="always")
def _kept(weight, most):  # type: ignore[no-untyped-def]
    return min(weight, most) if weight > NOTHING else 0.0


@jit()
def _fuse(  # type: ignore[no-untyped-def]
    values, slots, blocks, depth_m, incidence, rgb, to_camera, pinhole, is_equidistant, k, limits,
    sign,
):  # fmt: skip
    voxel_m, least_m, noise, most = limits
    height_px, width_px = depth_m.shape
    for at in range(len(slots)):
        for place in range(SIDE * SIDE * SIDE):
            i, j, k_ = place // (SIDE * SIDE), place // SIDE % SIDE, place % SIDE
            px = voxel_m * (SIDE * blocks[at, 0] + i)
            py = voxel_m * (SIDE * blocks[at, 1] + j)
            pz = voxel_m * (SIDE * blocks[at, 2] + k_)
            z = (
                to_camera[2, 0] * px
                + to_camera[2, 1] * py
                + to_camera[2, 2] * pz
                + to_camera[2, 3]
            )
            if not z > LEAST_DEPTH_M:
                continue
            x = (
                to_camera[0, 0] * px
                + to_camera[0, 1] * py
                + to_camera[0, 2] * pz
                + to_camera[0, 3]
            )
            y = (
                to_camera[1, 0] * px
                + to_camera[1, 1] * py
                + to_camera[1, 2] * pz
                + to_camera[1, 3]
            )
            x, y = x / z, y / z
            bent_x, bent_y = bend(x, y, is_equidistant, k)
            u, v = pinhole[0] * bent_x + pinhole[2], pinhole[1] * bent_y + pinhole[3]
            # In this form a pixel that is NaN falls out, too.
            if not (u >= 0 and u < width_px and v >= 0 and v < height_px):
                continue
            column, row = int(u), int(v)
            if not depth_m[row, column] > 0:
                continue
            d = _depth_at(depth_m, u, v, column, row)
            cosine = incidence[row >> 1, column >> 1]
            # Along the axis, stretched to the ray, and shortened to the normal of the surface.
            distance_m = (d - z) * np.sqrt(x * x + y * y + 1) * cosine
            band_m = max(least_m, SIGMAS * noise * d * d)
            # Behind the band nothing was seen: neither air nor how thick the thing is.
            if distance_m <= -band_m:
                continue
            weight = cosine / (1 + (d / NOISE_RANGE_M) ** 2)
            is_free = distance_m > band_m
            # Fades to 0 at the end of the band, but not within a voxel of the surface, which is
            # interpolated from there.
            if distance_m < -voxel_m:
                weight *= (band_m + distance_m) / (band_m - voxel_m)
            weight *= sign
            voxel = values[slots[at], i, j, k_]
            # Cut off: farther from the surface something else may be nearer.
            _average(voxel, min(distance_m, least_m), weight, 0, 1, most)
            voxel[1] = _kept(voxel[1] + weight, most)
            # Air has no colour.
            if not is_free:
                for channel in range(3):
                    _average(
                        voxel, np.float64(rgb[row, column, channel]), weight, 2 + channel, 5, most
                    )
                voxel[5] = _kept(voxel[5] + weight, most)


@jit(inline="always")
def _key_of(x, y, z):  # type: ignore[no-untyped-def]
    # As `layout.block_keys`: 21 bits an axis, counted from the middle.
    return ((x + (1 << 20)) << 42) | ((y + (1 << 20)) << 21) | (z + (1 << 20))


@jit(inline="always")
def _place_of(key, keys):  # type: ignore[no-untyped-def]
    """Return the first place with a key that is not less."""
    # By bisection, as `np.searchsorted` takes longer to compile than the rest of a kernel.
    at, end = 0, len(keys)
    while at < end:
        middle = (at + end) >> 1
        if keys[middle] < key:
            at = middle + 1
        else:
            end = middle
    return at


@jit(inline="always")
def _slot_of(x, y, z, keys, slots):  # type: ignore[no-untyped-def]
    """Return the slot of a block, -1 if it is not in use."""
    key = _key_of(x, y, z)
    at = _place_of(key, keys)
    if at < len(keys) and keys[at] == key:
        return slots[at]
    return -1


@jit()
def _look_at_cells(centres, values, keys, slots, jumps):  # type: ignore[no-untyped-def]
    # No such block, so that the first is looked up. Points that follow each other mostly lie in
    # one block, whose search is spared.
    last_x, last_y, last_z, slot = 1 << 40, 0, 0, -1
    for n in range(len(centres)):
        is_known, least, most = True, np.float32(np.inf), np.float32(-np.inf)
        for part in range(8):
            x = int(np.floor(centres[n, 0])) + (part >> 2)
            y = int(np.floor(centres[n, 1])) + (part >> 1 & 1)
            z = int(np.floor(centres[n, 2])) + (part & 1)
            bx, by, bz = x // SIDE, y // SIDE, z // SIDE
            if bx != last_x or by != last_y or bz != last_z:
                last_x, last_y, last_z, slot = bx, by, bz, _slot_of(bx, by, bz, keys, slots)
            # In most cells the first corner tells.
            if slot < 0 or values[slot, x - SIDE * bx, y - SIDE * by, z - SIDE * bz, 1] <= 0:
                is_known = False
                break
            distance_m = values[slot, x - SIDE * bx, y - SIDE * by, z - SIDE * bz, 0]
            least, most = min(least, distance_m), max(most, distance_m)
        if is_known:
            jumps[n] = most - least


@jit()
def _interpolate(  # type: ignore[no-untyped-def]
    points, values, keys, slots, shares, found, corner, fraction, around
):
    last_x, last_y, last_z, slot = 1 << 40, 0, 0, -1
    for n in range(len(points)):
        row = found[n]
        for axis in range(3):
            nearest = np.floor(points[n, axis] + 0.5)
            if abs(points[n, axis] - nearest) < SNAP_VOX:
                corner[axis], fraction[axis] = int(nearest), 0.0
            else:
                corner[axis] = int(np.floor(points[n, axis]))
                fraction[axis] = points[n, axis] - corner[axis]
        for part in range(8):
            dx, dy, dz = part >> 2, part >> 1 & 1, part & 1
            share = fraction[0] if dx else 1 - fraction[0]
            share *= fraction[1] if dy else 1 - fraction[1]
            share *= fraction[2] if dz else 1 - fraction[2]
            # Nobody asks for it: a point on a corner is known by that corner alone.
            if share == 0:
                continue
            x, y, z = corner[0] + dx, corner[1] + dy, corner[2] + dz
            bx, by, bz = x // SIDE, y // SIDE, z // SIDE
            if bx != last_x or by != last_y or bz != last_z:
                last_x, last_y, last_z, slot = bx, by, bz, _slot_of(bx, by, bz, keys, slots)
            if slot < 0:
                continue
            voxel = values[slot, x - SIDE * bx, y - SIDE * by, z - SIDE * bz]
            if voxel[1] > 0:
                row[0] += share * voxel[0]
                row[1] += share
            if voxel[5] > 0:
                row[2] += share * voxel[2]
                row[3] += share * voxel[3]
                row[4] += share * voxel[4]
                row[5] += share
        if row[1] > 0:
            row[0] /= row[1]
        if row[5] > 0:
            row[2] /= row[5]
            row[3] /= row[5]
            row[4] /= row[5]
        _share(points[n], keys, slots, shares, row, around)


@jit(inline="always")
def _share(point, keys, slots, shares, row, around):  # type: ignore[no-untyped-def]
    """Interpolate the shares between the centres of blocks.

    Args:
        around: The blocks of the last point: the lowest one, and the slots of all eight.
    """
    x, y, z = point[0] / SIDE - 0.5, point[1] / SIDE - 0.5, point[2] / SIDE - 0.5
    bx, by, bz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    if bx != around[8] or by != around[9] or bz != around[10]:
        around[8], around[9], around[10] = bx, by, bz
        for part in range(0, 8, 2):
            key = _key_of(bx + (part >> 2), by + (part >> 1 & 1), bz)
            at = _place_of(key, keys)
            # The block above follows in the order of keys: half of the searches are spared.
            for dz in range(2):
                around[part + dz] = -1
                if at < len(keys) and keys[at] == key + dz:
                    around[part + dz] = slots[at]
                    at += 1
    total = 0.0
    for part in range(8):
        if around[part] < 0:
            continue
        share = x - bx if part >> 2 else 1 - (x - bx)
        share *= y - by if part >> 1 & 1 else 1 - (y - by)
        share *= z - bz if part & 1 else 1 - (z - bz)
        total += share
        row[6] += share * shares[around[part], 0]
        row[7] += share * shares[around[part], 1]
    if total > 0:
        row[6] /= total
        row[7] /= total
    else:
        # Where nothing is fused the map is the field.
        row[6], row[7] = 1.0, 1.0
