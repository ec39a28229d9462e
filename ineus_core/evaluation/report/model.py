# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A mesh as the page's own viewer takes it: fewer triangles, small numbers, no network."""

import base64
import json

import numpy as np
from jaxtyping import Float, Int

from ineus_core.evaluation.picture import overview_camera
from ineus_core.types import Mesh

MOST_VERTICES = 40_000
# Halvings: the cell is known to 1/4096 of the mesh then.
_ROUNDS = 12


def model_json(mesh: Mesh, up: Float[np.ndarray, " 3"] | None) -> str:
    """Return a mesh and a view of it as JSON without any character that HTML knows."""
    small = decimated(mesh, MOST_VERTICES)
    low = small.vertices.min(axis=0)
    # A flat mesh has no extent along an axis, by which positions are divided.
    size = np.maximum(np.ptp(small.vertices, axis=0), 1e-6)
    pose, camera = overview_camera(small, up=up)
    # Two bytes a number are 1/65536 of the mesh, less than a pixel of any screen.
    positions = np.rint((small.vertices - low) / size * 65535).astype("<u2")
    normals = np.rint(small.normals.clip(-1, 1) * 127).astype("i1")
    centre = 0.5 * size
    return json.dumps(
        {
            "positions": _base64(positions),
            "normals": _base64(normals),
            "colours": _base64(small.colours),
            # 40,000 vertices are numbered by two bytes.
            "triangles": _base64(small.triangles.astype("<u2")),
            "size": size.tolist(),
            "eye": (pose[:3, 3] - low).tolist(),
            "centre": centre.tolist(),
            "up": [0.0, 0.0, 1.0] if up is None else np.asarray(up).tolist(),
            "fov": float(2 * np.arctan(0.5 * camera.height_px / camera.fy)),
        }
    )


def decimated(mesh: Mesh, most_vertices: int) -> Mesh:
    """Join the vertices of each cell of a grid, as fine a one as leaves no more than so many."""
    if len(mesh.vertices) <= most_vertices:
        return mesh
    vertices = mesh.vertices.astype(np.float64)
    fine, coarse = 0.0, float(np.ptp(vertices, axis=0).max())
    best = np.zeros(len(vertices), np.int64)
    for _ in range(_ROUNDS):
        # The number of cells goes by the square of their size, as a surface has it.
        cell = 0.5 * (fine + coarse)
        label = _cells(vertices, cell)
        if label.max() + 1 > most_vertices:
            fine = cell
        else:
            coarse, best = cell, label
    return _joined_by(mesh, best)


def _cells(vertices: Float[np.ndarray, "v 3"], cell_m: float) -> Int[np.ndarray, " v"]:
    """Return the numbers of the cells that vertices lie in, from 0 on."""
    place = np.floor((vertices - vertices.min(axis=0)) / cell_m).astype(np.int64)
    nx, ny, _ = place.max(axis=0) + 1
    key = place[:, 0] + nx * (place[:, 1] + ny * place[:, 2])
    return np.unique(key, return_inverse=True)[1].reshape(-1)


def _joined_by(mesh: Mesh, label: Int[np.ndarray, " v"]) -> Mesh:
    count = np.bincount(label)

    def mean(values: np.ndarray) -> np.ndarray:
        columns = [np.bincount(label, values[:, axis]) / count for axis in range(3)]
        return np.stack(columns, axis=1)

    normals = mean(mesh.normals.astype(np.float64))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    triangles = label[mesh.triangles]
    a, b, c = triangles.T
    triangles = triangles[(a != b) & (b != c) & (c != a)]
    # What lay one above the other is now the same; the side that it shows stays.
    first = np.argmin(triangles, axis=1)[:, None]
    turned = np.take_along_axis(triangles, (first + np.arange(3)) % 3, axis=1)
    return Mesh(
        mean(mesh.vertices.astype(np.float64)),
        np.unique(turned, axis=0).astype(np.int32),
        normals.astype(np.float32),
        np.rint(mean(mesh.colours.astype(np.float64))).astype(np.uint8),
    )


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
