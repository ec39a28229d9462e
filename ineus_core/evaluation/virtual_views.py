# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Views from within a room at which depths are compared, drawn as NICE-SLAM does."""

import numpy as np
from jaxtyping import Float

from ineus_core.evaluation.mesh_culling import in_picture
from ineus_core.geometry import look_at
from ineus_core.types import Camera, Mesh

_SHRUNK = (0.3, 0.7, 0.7)
"""Of the sides of the smallest box around the room, the shortest first."""
_RAISED_M = 0.4
_UP = np.array([0.0, 0.0, 1.0])
_TRIES = 100
"""For each view that is wanted."""
_SPACING_M = 0.02


def virtual_views(
    room: Mesh, unseen: Float[np.ndarray, "n 3"], camera: Camera, count: int, seed: int
) -> list[Float[np.ndarray, "4 4"]]:
    """Draw poses (`world_from_camera`) within a room, z up, whose pictures hold no unseen point.

    Fewer are returned where such views are rare.
    """
    import trimesh

    if len(room.vertices) < 4:
        return []
    to_box, sides = trimesh.bounds.oriented_bounds(room.vertices.astype(np.float64))
    world_from_box = np.linalg.inv(to_box)
    world_from_box[2, 3] += _RAISED_M
    half = 0.5 * sides * _SHRUNK
    hidden, rng = _thinned(unseen), np.random.default_rng(seed)
    found: list[Float[np.ndarray, "4 4"]] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        at = world_from_box[:3, :3] @ rng.uniform(-half, half) + world_from_box[:3, 3]
        # Towards a far point of a cube, so that corners are looked at more often.
        pose = look_at(at, at + rng.uniform(-1, 1, 3), _UP)
        if not len(in_picture(hidden, camera, pose)[0]):
            found.append(pose)
    return found


def _thinned(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    """Keep a point in each small voxel."""
    _, first = np.unique(np.floor(points / _SPACING_M), axis=0, return_index=True)
    return points[first]
