# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, projection and distortion, pixel rays, ray and box, block indices."""

import functools
import itertools
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from ineus_core.types import BlockIndex, Camera

OPENGL_CAMERA_FROM_CAMERA = np.diag((1.0, -1.0, -1.0, 1.0))
"""OpenGL axes (x right, y up, z back) from the axes used here, and back; only sources need it."""
_RAYS_AT_ONCE = 1 << 18
_ONE_WAY = 0.8
"""Length of the mean of optical axes: cameras on an arc of up to 130 degrees have more."""
NEAR_M = 1000.0
"""Up to here along each axis, places are computed with in the world's own coordinates."""
_LARGEST_STEP_M = 2e-4
"""Of single precision up to 2 km from the origin; at UTM coordinates its steps are 0.5 m."""


def rigid_inverse(a_from_b: Float[np.ndarray, "*n 4 4"]) -> Float[np.ndarray, "*n 4 4"]:
    """Invert a rigid transform, or many, without a general solver."""
    b_from_a = np.zeros(a_from_b.shape)
    turned_back = np.swapaxes(a_from_b[..., :3, :3], -1, -2)
    b_from_a[..., :3, :3] = turned_back
    b_from_a[..., :3, 3] = -(turned_back @ a_from_b[..., :3, 3:])[..., 0]
    b_from_a[..., 3, 3] = 1.0
    return b_from_a


def quaternion_to_rotation(xyzw: Float[np.ndarray, " 4"]) -> Float[np.ndarray, "3 3"]:
    """Return the rotation matrix of a quaternion of any length but zero."""
    return Rotation.from_quat(xyzw).as_matrix()


def rotation_to_quaternion(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 4"]:
    """Return the unit quaternion xyzw with w >= 0 of a rotation matrix."""
    return Rotation.from_matrix(rotation).as_quat(canonical=True)


def rigid_transform(
    translation_m: Float[np.ndarray, " 3"], xyzw: Float[np.ndarray, " 4"]
) -> Float[np.ndarray, "4 4"]:
    """Return the 4 x 4 transform of a translation and a quaternion."""
    transform = np.eye(4)
    transform[:3, :3] = quaternion_to_rotation(xyzw)
    transform[:3, 3] = translation_m
    return transform


def look_at(
    eye_m: Float[np.ndarray, " 3"], target_m: Float[np.ndarray, " 3"], up: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "4 4"]:
    """Return `world_from_camera` whose axis meets the target and whose image top is `up`."""
    forward = (target_m - eye_m) / np.linalg.norm(target_m - eye_m)
    right = np.cross(forward, up)
    # Not of unit length where `up` is not at right angles to the view.
    right /= np.linalg.norm(right)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.stack((right, np.cross(forward, right), forward), axis=1)
    world_from_camera[:3, 3] = eye_m
    return world_from_camera


def interpolate_rigid(
    a: Float[np.ndarray, "4 4"], b: Float[np.ndarray, "4 4"], fraction: float
) -> Float[np.ndarray, "4 4"]:
    """Return the pose at a fraction of the straight line and of the shorter great arc (slerp)."""
    pose = np.eye(4)
    ends = Rotation.from_matrix(np.stack((a[:3, :3], b[:3, :3])))
    pose[:3, :3] = Slerp((0.0, 1.0), ends)(fraction).as_matrix()
    pose[:3, 3] = (1 - fraction) * a[:3, 3] + fraction * b[:3, 3]
    return pose


def opencv_matrix(camera: Camera) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsic matrix in OpenCV's convention, where pixel centres are integers."""
    return np.array(
        [[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1.0]]
    )


def undistort_pixels(camera: Camera, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Return where the rays of pixels (centres at + 0.5) meet the plane z = 1."""
    opencv_pixels = np.asarray(pixels, dtype=np.float64).reshape(-1, 1, 2) - 0.5
    if len(opencv_pixels) == 0 or is_pinhole(camera):
        centre = (camera.cx - 0.5, camera.cy - 0.5)
        return (opencv_pixels[:, 0] - centre) / (camera.fx, camera.fy)
    matrix, coefficients = opencv_matrix(camera), _opencv_distortion(camera)
    # The default of five rounds leaves errors of pixels at the corners of wide lenses.
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    if camera.distortion_model == "equidistant":
        undistort = cv2.fisheye.undistortPoints
    else:
        # OpenCV 4 has the criteria under a name of their own, OpenCV 5 has dropped that name.
        undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
    return undistort(opencv_pixels, matrix, coefficients, R=None, P=None, criteria=criteria)[:, 0]


def is_pinhole(camera: Camera) -> bool:
    """Decide whether pixels need no undistortion; equidistant ones do, even with zeros."""
    if camera.distortion_model == "equidistant":
        return False
    return camera.distortion_model == "none" or not any(camera.distortion)


def _opencv_distortion(camera: Camera) -> Float[np.ndarray, " k"]:
    if camera.distortion_model == "none":
        return np.zeros(4)
    # OpenCV takes these numbers of coefficients only; the fisheye model has exactly four.
    count = next(n for n in (4, 5, 8, 12, 14) if n >= len(camera.distortion))
    coefficients = np.zeros(count)
    coefficients[: len(camera.distortion)] = camera.distortion
    return coefficients


def pixel_rays(
    camera: Camera, stride_px: int = 1, first_px: int = 0
) -> Float[np.ndarray, "h w 3"]:
    """Return unit directions in the camera frame through pixel centres, float32.

    Args:
        stride_px: Of so many rows and columns, only one is asked for.
        first_px: The first row and the first column.
    """
    rows, columns = (
        np.arange(first_px, size_px, stride_px) + 0.5
        for size_px in (camera.height_px, camera.width_px)
    )
    rays = np.empty((len(rows), len(columns), 3), np.float32)
    # A part at a time: all of a large picture in double precision would take gigabytes.
    at_once = max(1, _RAYS_AT_ONCE // max(1, len(columns)))
    for first in range(0, len(rows), at_once):
        part = rays[first : first + at_once]
        pixels = np.stack(np.meshgrid(columns, rows[first : first + at_once]), axis=-1)
        part[:] = rays_through(camera, pixels.reshape(-1, 2)).reshape(part.shape)
    return rays


def rays_through(camera: Camera, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Return unit directions in the camera frame through pixels (centres at + 0.5), float32."""
    plane = undistort_pixels(camera, pixels)
    directions = np.concatenate((plane, np.ones((len(plane), 1))), axis=1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions.astype(np.float32)


@functools.lru_cache(maxsize=16)
def cached_pixel_rays(
    camera: Camera, stride_px: int, first_px: int = 0
) -> Float[np.ndarray, "h w 3"]:
    """Return `pixel_rays`, kept for the strides and cameras of a rig; not to be written to."""
    rays = pixel_rays(camera, stride_px, first_px)
    rays.flags.writeable = False
    return rays


def project(camera: Camera, points_camera_m: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """Project points in front of the camera to pixels (centres at + 0.5), with distortion."""
    points = np.asarray(points_camera_m, dtype=np.float64).reshape(-1, 1, 3)
    if len(points) == 0:
        return np.zeros((0, 2))
    if is_pinhole(camera):
        plane = points[:, 0, :2] / points[:, 0, 2:]
        return plane * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    lens = cv2.fisheye if camera.distortion_model == "equidistant" else cv2
    zero = np.zeros(3)
    pixels, _ = lens.projectPoints(
        points, zero, zero, opencv_matrix(camera), _opencv_distortion(camera)
    )
    return pixels[:, 0] + 0.5


def small_pinhole(camera: Camera, width_px: int) -> Camera:
    """Return a camera without distortion that sees what a camera sees, at most so wide."""
    width_px = min(width_px, camera.width_px)
    height_px = max(1, round(camera.height_px * width_px / camera.width_px))
    plain = Camera(camera.width_px, camera.height_px, camera.fx, camera.fy, camera.cx, camera.cy)
    return plain.resized(width_px, height_px)


def ray_box(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    aabb: Float[Tensor, "2 3"],
) -> tuple[Float[Tensor, " rays"], Float[Tensor, " rays"]]:
    """Return where rays enter (at least 0) and leave a box; a miss has `t_far <= t_near`."""
    # Avoids 0 * inf = NaN for a ray that runs in a face of the box.
    safe = torch.where(directions.abs() < 1e-12, torch.full_like(directions, 1e-12), directions)
    t_a, t_b = (aabb[0] - origins) / safe, (aabb[1] - origins) / safe
    t_near = torch.minimum(t_a, t_b).amax(dim=-1).clamp(min=0.0)
    t_far = torch.maximum(t_a, t_b).amin(dim=-1)
    return t_near, t_far


def block_indices(points_m: Float[np.ndarray, "n 3"], block_m: float) -> Int[np.ndarray, "n 3"]:
    """Return the block that holds each point; block (0, 0, 0) starts at the world origin."""
    return np.floor(np.asarray(points_m) / block_m).astype(np.int64)


def blocks_touched(
    points_m: Float[np.ndarray, "n 3"], reach_m: float, block_m: float
) -> list[BlockIndex]:
    """List the blocks, each once and in order, that cubes around points touch.

    Args:
        reach_m: Half the side of the cubes.
    """
    low, high = (block_indices(points_m + reach, block_m) for reach in (-reach_m, reach_m))
    # Most points touch one block, which needs no product of ranges.
    crosses = (low != high).any(axis=1)
    spans = np.unique(np.hstack((low[crosses], high[crosses])), axis=0).reshape(-1, 2, 3)
    touched = set(_distinct(low[~crosses]))
    for first, last in spans.tolist():
        xs, ys, zs = (range(a, b + 1) for a, b in zip(first, last, strict=True))
        touched.update(itertools.product(xs, ys, zs))
    return sorted(touched)


def _distinct(index: Int[np.ndarray, "n 3"]) -> list[BlockIndex]:
    """Return each row once, many times faster than by `np.unique` over an axis."""
    if len(index) == 0:
        return []
    first = index.min(axis=0)
    shape = tuple((index.max(axis=0) - first + 1).tolist())
    keys = np.unique(np.ravel_multi_index(tuple((index - first).T), shape))
    rows = np.stack(np.unravel_index(keys, shape), axis=1) + first
    return list(map(tuple, rows.tolist()))


def axes_equations(
    poses: Sequence[Float[np.ndarray, "4 4"]],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """Return the normal equations A x = b of the point x nearest to all optical axes."""
    positions = np.stack([pose[:3, 3] for pose in poses])
    axes = np.stack([pose[:3, 2] for pose in poses])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    return across.sum(axis=0), np.einsum("nij,nj->i", across, positions)


def focus_of_cameras(poses: Sequence[Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, " 3"]:
    """Return the point nearest to all optical axes in the sense of least squares."""
    matrix, right = axes_equations(poses)
    middle = np.mean([pose[:3, 3] for pose in poses], axis=0)
    # The small term keeps parallel axes solvable; it pulls towards the mean of the cameras.
    pull = 1e-9 * len(poses)
    return np.linalg.solve(matrix + pull * np.eye(3), right + pull * middle)


def box_of_cameras(
    poses: list[Float[np.ndarray, "4 4"]],
) -> tuple[Literal["object", "room"], Float[np.ndarray, "2 3"]]:
    """Decide whether cameras look at an object or out into a room, and the cube that holds it.

    The point nearest to all optical axes decides: an object lies in front of nearly all cameras.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    axes = np.stack([pose[:3, 2] for pose in poses])
    focus = focus_of_cameras(poses)
    along = ((focus - positions) * axes).sum(axis=1)
    distance = np.linalg.norm(focus - positions, axis=1)
    # By what cameras are apart, as scenes may be of any unit.
    spread = np.linalg.norm(positions - positions.mean(axis=0), axis=1).max()
    # Nine in ten see the point within 45 degrees of their axis, and no camera stands in the
    # object.
    looks_inwards = (along > 0.7 * distance).mean() > 0.9 and distance.min() > 0.3 * spread
    if looks_inwards:
        half = 0.5 * float(np.median(distance))
        return "object", np.stack((focus - half, focus + half))
    centre = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    # Walls are beyond the cameras: half as far again as these go, and 2.5 m.
    half = 1.5 * float(np.abs(positions - centre).max()) + 2.5
    return "room", np.stack((centre - half, centre + half))


def look_one_way(poses: Sequence[Float[np.ndarray, "4 4"]]) -> bool:
    """Decide whether cameras look much the same way, as at a facade, whose back none of them sees.

    The mean of their optical axes is then long: that of a quarter of a circle has a length of 0.9,
    of half of one 0.64, and of a whole one 0.
    """
    return bool(np.linalg.norm(np.mean([pose[:3, 2] for pose in poses], axis=0)) > _ONE_WAY)


def up_of_cameras(poses: Sequence[Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, " 3"]:
    """Return the direction against gravity: the world's z, or the mean image top if it differs."""
    z_axis = np.array((0.0, 0.0, 1.0))
    if len(poses) == 0:
        return z_axis
    image_top = -np.mean([pose[:3, 1] for pose in poses], axis=0)
    length = float(np.linalg.norm(image_top))
    # Within 45 degrees the cameras are merely tilted; a short mean says nothing.
    return z_axis if length < 0.3 or image_top[2] > 0.7 * length else image_top / length


def origin_near(positions: Sequence[Float[np.ndarray, " 3"]]) -> Float[np.ndarray, " 3"]:
    """Return what to count coordinates from: whole kilometres near the median, 0 if that is near.

    The same scene then has the same coordinates to the last digit wherever its own origin is put,
    by whole kilometres.
    """
    median_m = np.median(positions, axis=0)
    if np.abs(median_m).max() <= NEAR_M:
        return np.zeros(3)
    # Adding 0 turns -0 into 0.
    return NEAR_M * np.round(median_m / NEAR_M) + 0.0


def needs_double(points: Float[np.ndarray, "n 3"], metre: float = 1.0) -> bool:
    """Decide whether single precision would move points by more than a tenth of a millimetre.

    Args:
        metre: Units of the coordinates in a metre.
    """
    largest = np.float32(np.abs(points).max(initial=0.0))
    # The step to the next number in single precision there.
    return bool(np.spacing(largest) > _LARGEST_STEP_M * metre)


def as_precise(points: Float[np.ndarray, "n 3"], metre: float = 1.0) -> Float[np.ndarray, "n 3"]:
    """Return points as float32 where that holds them, else as float64."""
    return np.asarray(points, np.float64 if needs_double(points, metre) else np.float32)
