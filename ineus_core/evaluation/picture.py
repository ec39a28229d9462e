# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a mesh without a GPU or a display, by a rasteriser on the CPU."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.geometry import look_at, rigid_inverse
from ineus_core.kernels.rasterising import TrianglePixels, rasterise
from ineus_core.types import Camera, Mesh, TexturedMesh

_NEAR_M = 1e-2
_BACKGROUND = (246, 247, 249)
_LONGEST_ROW = 32_000
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
    # A long lens: straight walls look parallel.
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
    # The rest is a margin around the mesh.
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
    seen = _seen(mesh, world_from_camera, camera)
    vertices = mesh.triangles[seen.triangles]
    colours = np.einsum("pi,pic->pc", seen.weights, mesh.colours[vertices])
    normals = np.einsum("pi,pic->pc", seen.weights, mesh.normals[vertices])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    # The lamp is beside the camera, so that no visible face is black.
    lamp = world_from_camera[:3, :3] @ (_LAMP / np.linalg.norm(_LAMP))
    light = 0.5 + 0.55 * (normals @ lamp).clip(0, 1)
    return _on_background((colours * light[:, None]).clip(0, 255), seen, camera)


def render_textured_picture(
    textured: TexturedMesh, world_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the triangles that face the camera with their texture, without light.

    Drawn is what `render_mesh_picture` draws.
    """
    seen = _seen(textured.mesh, world_from_camera, camera)
    places = np.einsum(
        "pi,pic->pc", seen.weights, textured.uv[textured.mesh.triangles[seen.triangles]]
    )
    rows, columns = textured.texture.shape[:2]
    # OpenCV counts from the middle of the first texel, at the top; v counts from the bottom.
    x = (places[:, 0] * columns - 0.5).astype(np.float32)
    y = ((1 - places[:, 1]) * rows - 0.5).astype(np.float32)
    colours = np.zeros((len(x), 3))
    # OpenCV takes no longer rows.
    for first in range(0, len(x), _LONGEST_ROW):
        part = slice(first, first + _LONGEST_ROW)
        row = cv2.remap(
            textured.texture,
            x[None, part],
            y[None, part],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        colours[part] = row[0]
    return _on_background(colours, seen, camera)


def _seen(
    mesh: Mesh, world_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> TrianglePixels:
    """Find what each pixel shows, with weights of the corners that hold on the surface."""
    corners = _project(mesh, world_from_camera, camera)
    seen = rasterise(corners, mesh.triangles, camera.width_px, camera.height_px)
    # What is linear on the surface is linear in the image only after division by depth.
    weights = seen.weights * corners[mesh.triangles[seen.triangles], 2]
    return replace(seen, weights=weights / weights.sum(axis=1, keepdims=True))


def _project(
    mesh: Mesh, world_from_camera: Float[np.ndarray, "4 4"], camera: Camera
) -> Float[np.ndarray, "v 3"]:
    """Return column, row and inverse depth of the vertices, the depth 0 behind the camera."""
    camera_from_world = rigid_inverse(world_from_camera)
    points = mesh.vertices @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    # The inverse, as it is linear over the picture where depth is not.
    inverse = np.where(points[:, 2] > _NEAR_M, 1 / np.maximum(points[:, 2], _NEAR_M), 0.0)
    columns = camera.fx * points[:, 0] * inverse + camera.cx
    rows = camera.fy * points[:, 1] * inverse + camera.cy
    return np.stack((columns, rows, inverse), axis=1)


def _on_background(
    colours: Float[np.ndarray, "hits 3"], seen: TrianglePixels, camera: Camera
) -> UInt8[np.ndarray, "h w 3"]:
    picture = np.empty((camera.height_px * camera.width_px, 3), dtype=np.uint8)
    picture[:] = _BACKGROUND
    picture[seen.pixels] = colours
    return picture.reshape(camera.height_px, camera.width_px, 3)
