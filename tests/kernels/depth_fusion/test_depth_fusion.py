# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Fusion of depth by numba against plain numpy, and small cases worked out by hand."""

import numpy as np
import pytest
from tiny_scene import pose

from ineus_core.geometry import rigid_inverse
from ineus_core.kernels.depth_fusion import (
    COLOUR,
    COLUMNS,
    DISTANCE,
    SIDE,
    WEIGHT,
    DepthImage,
    FusionLimits,
    block_keys,
    blocks_of_keys,
    cell_jumps,
    cpu,
    fuse_depth,
    reference,
)
from ineus_core.types import Camera

_LIMITS = FusionLimits(voxel_m=0.1, truncation_m=0.4, noise_per_m2=0.0, max_weight=50.0)
_CAMERA = Camera(64, 48, 40.0, 40.0, 32.0, 24.0)


def _wall(depth_m: float, grey: int = 200) -> DepthImage:
    """Return a wall across the view of a camera in the origin."""
    size = (_CAMERA.height_px, _CAMERA.width_px)
    return DepthImage(
        np.full(size, depth_m, np.float32),
        np.ones((24, 32), np.float32),
        np.full((*size, 3), grey, np.uint8),
        _CAMERA,
        np.eye(4),
    )


def _empty(blocks: int) -> np.ndarray:
    return np.zeros((blocks, SIDE, SIDE, SIDE, COLUMNS), np.float32)


# The block in front of the camera, whose corner [0, 0, k] lies at z = 1.6 + k / 10.
_AHEAD = np.array([[0, 0, 2]])
_SLOT = np.array([0])


def test_a_voxel_on_the_axis_holds_its_distance_to_the_wall() -> None:
    values = _empty(1)
    fuse_depth(values, _SLOT, _AHEAD, _wall(2.0), _LIMITS, 1)
    along_axis = values[0, 0, 0]
    np.testing.assert_allclose(along_axis[2:7, DISTANCE], [0.2, 0.1, 0, -0.1, -0.2], atol=1e-6)
    # In front and up to a voxel behind it counts as 1 / (1 + 2^2); then that fades.
    np.testing.assert_allclose(along_axis[2:7, WEIGHT], [0.2, 0.2, 0.2, 0.2, 0.4 / 3], rtol=1e-4)
    assert (along_axis[2:6, COLOUR] == 200).all()


def test_two_walls_are_averaged_and_one_is_taken_back() -> None:
    values = _empty(1)
    fuse_depth(values, _SLOT, _AHEAD, _wall(2.0, 100), _LIMITS, 1)
    only_first = values.copy()
    fuse_depth(values, _SLOT, _AHEAD, _wall(2.1, 200), _LIMITS, 1)
    first, second = 1 / 5, 1 / (1 + 2.1**2)
    mean = (0.0 * first + 0.1 * second) / (first + second)
    assert values[0, 0, 0, 4, DISTANCE] == pytest.approx(mean, abs=1e-6)
    assert 100 < values[0, 0, 0, 4, COLOUR] < 150
    fuse_depth(values, _SLOT, _AHEAD, _wall(2.1, 200), _LIMITS, -1)
    near = only_first[0, 0, 0, 1:7]
    np.testing.assert_allclose(values[0, 0, 0, 1:7], near, atol=1e-4)


def test_what_lies_in_front_is_free_and_what_lies_behind_is_unknown() -> None:
    values = _empty(2)
    fuse_depth(values, np.array([0, 1]), np.array([[0, 0, 1], [0, 0, 3]]), _wall(2.0), _LIMITS, 1)
    assert values[0, 0, 0, 0, DISTANCE] == pytest.approx(0.4)
    assert values[0, 0, 0, 0, WEIGHT] > 0
    # Free air has no colour, and behind the band there is nothing.
    assert not values[0, 0, 0, 0, COLOUR:].any()
    assert not values[1, ..., WEIGHT].any()


def test_nothing_is_fused_where_there_is_no_return() -> None:
    values = _empty(1)
    fuse_depth(values, _SLOT, _AHEAD, _wall(0.0), _LIMITS, 1)
    assert not values.any()


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("none", ()),
        ("plumb_bob", (0.1, -0.05, 0.002, -0.003, 0.01)),
        ("equidistant", (0.02, -0.01, 0.003, 0.001)),
    ],
)
@pytest.mark.parametrize("count", [0, 1, 27])
def test_the_kernel_agrees_with_numpy(
    model: str, coefficients: tuple[float, ...], count: int
) -> None:
    rng = np.random.default_rng(3)
    camera = Camera(64, 48, 40.0, 41.0, 31.0, 25.0, model, coefficients)
    size = (48, 64)
    column = np.linspace(1.2, 2.6, 64, dtype=np.float32)
    depth_m = np.tile(column, (48, 1)) + rng.normal(0, 0.01, size).astype(np.float32)
    depth_m[10:20, 30:40], depth_m[::7] = 1.0, 0.0
    image = DepthImage(
        depth_m,
        rng.uniform(0.1, 1, (24, 32)).astype(np.float32),
        rng.integers(0, 255, (*size, 3), dtype=np.uint8),
        camera,
        rigid_inverse(pose(x=0.05, y=-0.02, z=0.01, yaw_deg=4.0)),
    )
    limits = FusionLimits(voxel_m=0.05, truncation_m=0.2, noise_per_m2=0.03, max_weight=1.0)
    axis = np.arange(-1, 2)
    blocks = np.stack(np.meshgrid(axis, axis, axis + 4, indexing="ij"), -1).reshape(-1, 3)[:count]
    slots = rng.permutation(count)
    by_numba, by_numpy = _empty(count), _empty(count)
    for operator, values in ((cpu, by_numba), (reference, by_numpy)):
        for sign in (1, 1, -1, 1):
            operator.fuse_depth(values, slots, blocks, image, limits, sign)
    # A voxel on the border between two pixels may see either.
    agrees = np.isclose(by_numba, by_numpy, atol=1e-3).all(axis=-1)
    assert agrees.mean() > 0.999 if count else agrees.size == 0
    assert count < 27 or (by_numba[..., WEIGHT] > 0).mean() > 0.2


@pytest.mark.parametrize("points", [0, 1, 333])
@pytest.mark.parametrize("blocks", [0, 1, 12])
def test_interpolation_agrees_with_numpy(points: int, blocks: int) -> None:
    rng = np.random.default_rng(5)
    places = np.stack(np.unravel_index(rng.permutation(27)[:blocks], (3, 3, 3)), -1) - 1
    keys = block_keys(places)
    order = np.argsort(keys)
    values = rng.uniform(-0.1, 1, (blocks, SIDE, SIDE, SIDE, COLUMNS)).astype(np.float32)
    shares = rng.uniform(0, 1, (blocks, 2)).astype(np.float32)
    where = rng.uniform(-2 * SIDE, 3 * SIDE, (points, 3))
    where[::3] = np.round(where[::3])
    call = (where, values, keys[order], order, shares)
    one, other = cpu.values_at(*call), reference.values_at(*call)
    for name in ("distance_m", "known", "rgb", "rgb_known", "shares"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)
    jumps = [op.cell_jumps(*call[:4]) for op in (cpu, reference)]
    np.testing.assert_array_equal(*jumps)


def test_corners_of_a_cell_jump_by_what_they_hold_where_all_of_them_are_known() -> None:
    values = _empty(1)
    values[0, 2:4, 3:6, 4:6, :2] = 0.25, 1.0
    values[0, 3, 5, 5, DISTANCE] = -0.5
    # The block is that below the origin along x; one cell is smooth, one jumps, one lacks corners.
    centres = np.array([[2.5, 3.5, 4.5], [2.5, 4.5, 4.5], [2.5, 5.5, 4.5]]) - (SIDE, 0, 0)
    keys = block_keys(np.array([[-1, 0, 0]]))
    jumps = cell_jumps(centres, values, keys, np.array([0]))
    assert jumps.tolist() == [0.0, 0.75, np.inf]


def test_keys_of_blocks_rise_with_x_then_y_then_z_and_tell_them() -> None:
    blocks = np.array([[-3, 5, 7], [-3, 6, -9], [0, 0, 0], [0, 0, 1], [4, -1, 0]])
    keys = block_keys(blocks)
    assert (np.diff(keys) > 0).all()
    np.testing.assert_array_equal(blocks_of_keys(keys), blocks)


def test_a_corner_of_the_lattice_has_exactly_what_it_holds() -> None:
    values = _empty(1)
    values[0, 2, 3, 4, :2] = 0.25, 1.0
    keys = block_keys(np.array([[-1, 0, 0]]))
    point = np.array([[2.0 - SIDE + 1e-3, 3.0, 4.0]])
    found = cpu.values_at(point, values, keys, np.array([0]), np.array([[0.5, 1]], np.float32))
    assert (found.distance_m[0], found.known[0]) == (0.25, 1.0)
    assert found.shares[0].tolist() == [0.5, 1]


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="slots 1 to 1: expected below 1"):
        cpu.fuse_depth(_empty(1), np.array([1]), _AHEAD, _wall(2.0), _LIMITS, 1)
    with pytest.raises(ValueError, match=r"blocks of shape \(1, 3\): expected \(2, 3\)"):
        cpu.fuse_depth(_empty(2), np.array([0, 1]), _AHEAD, _wall(2.0), _LIMITS, 1)
