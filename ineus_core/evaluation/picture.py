# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a mesh without a GPU or a display, by a rasteriser in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from ineus_core.geometry import look_at, rigid_inverse
from ineus_core.types import Camera, Mesh

_NEAR_M = 1e-2
_BACKGROUND = (246, 247, 249)
_PIXELS_AT_ONCE = 1 << 20
_LAMP = np.array((-0.45, -0.6, -1.0))
"""Direction to the lamp in the camera frame: left of it and above."""


def overview_camera(
    mesh: Mesh,
    width_px: int = 960,
    height_px: int = 540,
    up: Float[np.ndarray, " 3"] | None = None,
) -> tuple[Float[np.ndarray, "4 4"], Camera]:
    """Find pose and camera of a view from above a corner that holds the whole mesh.

    With faces seen from behind left out, ceilings and near walls do not hide a room.

    Args:
        up: Direction against gravity, world; the z axis if not given.
    """
    upright_from_world = np.eye(3) if up is None else _upright(up)
    focal = 1.1 * width_px
    camera = Camera(width_px, height_px, focal, focal, width_px / 2, height_px / 2)
    points = mesh.vertices.astype(np.float64) if len(mesh.vertices) else np.zeros((1, 3))
    points = points @ upright_from_world.T
    # Small components far away must not shrink the rest.
    low, high = np.quantile(points, (0.002, 0.998), axis=0)
    points = points.clip(low, high)
    # The longer side of the ground plan lies across the picture.
    turn = np.deg2rad(-60.0 if high[0] - low[0] >= high[1] - low[1] else -30.0)
    height = np.deg2rad(52.0)
    away = np.array((np.cos(turn) * np.cos(height), np.sin(turn) * np.cos(height), np.sin(height)))
    centre = 0.5 * (low + high)
    world_from_camera = look_at(centre + away, centre, np.array((0.0, 0.0, 1.0)))
    half = 0.93 * np.array((width_px, height_px)) / (2 * focal)
    eye = _eye_that_sees((points - centre) @ world_from_camera[:3, :3], half)
    world_from_camera[:3, 3] = centre + world_from_camera[:3, :3] @ eye
    world_from_camera[:3] = upright_from_world.T @ world_from_camera[:3]
    return world_from_camera, camera


def _upright(up: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Return a rotation that takes `up` to the z axis."""
    z = np.asarray(up, dtype=np.float64) / np.linalg.norm(up)
    x = np.cross(np.eye(3)[np.abs(z).argmin()], z)
    x /= np.linalg.norm(x)
    return np.stack((x, np.cross(z, x), z))


def _eye_that_sees(
    points: Float[np.ndarray, "n 3"], half: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, " 3"]:
    """Find where, in camera axes, points just fit into |x / z| and |y / z| below `half`."""
    eye = np.zeros(3)
    # Moving sideways changes how far back the eye must be; eight rounds are enough.
    for _ in range(8):
        across, depth = points[:, :2] - eye[:2], points[:, 2]
        distance = max(float((np.abs(across) / half - depth[:, None]).max()), 10 * _NEAR_M)
        seen = across / np.maximum(distance + depth, _NEAR_M)[:, None]
        eye[:2] += 0.5 * (seen.min(axis=0) + seen.max(axis=0)) * distance
        eye[2] = -distance
    across = points[:, :2] - eye[:2]
    eye[2] = -max(float((np.abs(across) / half - points[:, 2:]).max()), 10 * _NEAR_M)
    return eye


def render_mesh_picture(
    mesh: Mesh, world_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the triangles that face the camera, in their colours, shaded by their normals.

    Lens distortion is left out, and triangles that reach behind the camera are not drawn.
    """
    corners = _project(mesh, world_from_camera, camera)
    boxes = _front_facing_boxes(mesh, corners, camera)
    pixels = _Pixels(camera.height_px * camera.width_px)
    for some in boxes.chunks():
        _draw(pixels, some, corners[mesh.triangles[some.triangles]], camera.width_px)
    picture = _shade(mesh, pixels, corners, world_from_camera)
    return picture.reshape(camera.height_px, camera.width_px, 3)


class _Pixels:
    """The nearest triangle at each pixel, and two of its barycentric coordinates there."""

    def __init__(self, count: int) -> None:
        self.inverse_depth = np.zeros(count)
        self.triangle = np.full(count, -1)
        self.weights = np.zeros((count, 2))


@dataclass(frozen=True)
class _Boxes:
    """Triangles and the pixels whose centres may lie in them: a first pixel, columns and rows."""

    triangles: Int[np.ndarray, " n"]
    first: Int[np.ndarray, "n 2"]
    size: Int[np.ndarray, "n 2"]

    def chunks(self) -> "Iterator[_Boxes]":
        """Split into parts of about as many pixels as are worked on at once."""
        # Triangles near the eye cover the whole picture: all at once may not fit in memory.
        chunk = np.cumsum(self.size.prod(axis=1)) // _PIXELS_AT_ONCE
        cuts = np.flatnonzero(np.diff(chunk)) + 1
        for rows in np.split(np.arange(len(self.triangles)), cuts):
            yield _Boxes(self.triangles[rows], self.first[rows], self.size[rows])


def _project(
    mesh: Mesh, world_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> Float[np.ndarray, "v 3"]:
    """Return column, row and inverse depth of the vertices, the depth 0 behind the camera."""
    camera_from_world = rigid_inverse(world_from_camera)
    points = mesh.vertices @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    inverse = np.where(points[:, 2] > _NEAR_M, 1 / np.maximum(points[:, 2], _NEAR_M), 0.0)
    columns = camera.fx * points[:, 0] * inverse + camera.cx
    rows = camera.fy * points[:, 1] * inverse + camera.cy
    return np.stack((columns, rows, inverse), axis=1)


def _front_facing_boxes(mesh: Mesh, corners: Float[np.ndarray, "v 3"], camera: Camera) -> _Boxes:
    """Return boxes of the triangles that face the camera and touch a pixel's centre, clipped."""
    a, b, c = (corners[mesh.triangles[:, i]] for i in range(3))
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    edge, other = (b - a)[:, :2], (c - a)[:, :2]
    # Rows grow downwards, so what turns clockwise on the image shows us its back.
    faces_us = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0] < 0
    image = (camera.width_px, camera.height_px)
    first = np.ceil(low[:, :2] - 0.5).clip(0, image).astype(np.int64)
    end = (np.floor(high[:, :2] - 0.5) + 1).clip(0, image).astype(np.int64)
    size = end - first
    keep = np.flatnonzero(faces_us & (low[:, 2] > 0) & (size > 0).all(axis=1))
    return _Boxes(keep, first[keep], size[keep])


def _draw(
    pixels: _Pixels, boxes: _Boxes, corners: Float[np.ndarray, "n 3 3"], width_px: int
) -> None:
    """Put triangles into the pixels where they are nearest."""
    counts = boxes.size.prod(axis=1)
    owner = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = boxes.first[owner, 0] + place % boxes.size[owner, 0]
    rows = boxes.first[owner, 1] + place // boxes.size[owner, 0]
    a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
    area = _cross(b - a, c - a)
    # Barycentric coordinates are linear in the pixel: slope times its offset from corner c.
    at_a = np.stack(((b - c)[:, 1], (c - b)[:, 0]), axis=1) / area[:, None]
    at_b = np.stack(((c - a)[:, 1], (a - c)[:, 0]), axis=1) / area[:, None]
    offset = np.stack((columns, rows), axis=1) + 0.5 - c[owner]
    weight_a = (at_a[owner] * offset).sum(axis=1)
    weight_b = (at_b[owner] * offset).sum(axis=1)
    inside = np.flatnonzero(
        np.minimum(np.minimum(weight_a, weight_b), 1 - weight_a - weight_b) > -1e-9
    )
    owner, weight_a, weight_b = owner[inside], weight_a[inside], weight_b[inside]
    pixel = rows[inside] * width_px + columns[inside]
    inverse = corners[:, :, 2]
    depth = (
        weight_a * (inverse[:, 0] - inverse[:, 2])[owner]
        + weight_b * (inverse[:, 1] - inverse[:, 2])[owner]
        + inverse[owner, 2]
    )
    # Inverse depth is linear in the picture, so the largest is exactly the nearest.
    np.maximum.at(pixels.inverse_depth, pixel, depth)
    nearest = depth == pixels.inverse_depth[pixel]
    pixels.triangle[pixel[nearest]] = boxes.triangles[owner[nearest]]
    pixels.weights[pixel[nearest]] = np.stack((weight_a[nearest], weight_b[nearest]), axis=1)


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _shade(
    mesh: Mesh,
    pixels: _Pixels,
    corners: Float[np.ndarray, "v 3"],
    world_from_camera: Float[np.ndarray, "4 4"],
) -> UInt8[np.ndarray, "pixels 3"]:
    """Shade under a lamp beside the camera, so that no visible face is black."""
    picture = np.empty((len(pixels.triangle), 3), dtype=np.uint8)
    picture[:] = _BACKGROUND
    hit = np.flatnonzero(pixels.triangle >= 0)
    if len(hit) == 0:
        return picture
    vertices = mesh.triangles[pixels.triangle[hit]]
    weights = np.empty((len(hit), 3))
    weights[:, :2] = pixels.weights[hit]
    weights[:, 2] = 1 - weights[:, :2].sum(axis=1)
    # What is linear on the surface is linear in the image only after division by depth.
    weights *= corners[vertices, 2]
    weights /= weights.sum(axis=1, keepdims=True)
    colours = np.einsum("pi,pic->pc", weights, mesh.colours[vertices])
    normals = np.einsum("pi,pic->pc", weights, mesh.normals[vertices])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    lamp = world_from_camera[:3, :3] @ (_LAMP / np.linalg.norm(_LAMP))
    light = 0.5 + 0.55 * (normals @ lamp).clip(0, 1)
    picture[hit] = (colours * light[:, None]).clip(0, 255)
    return picture
