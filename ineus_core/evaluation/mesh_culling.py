# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which triangles of a mesh cameras see, as published evaluations of neural SLAM cull them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from ineus_core.evaluation.mesh_rays import MeshRays
from ineus_core.geometry import project, rigid_inverse
from ineus_core.types import Camera, Mesh

EPS_M = 0.03
"""A vertex so little behind what a view sees of the mesh counts as seen."""
_FAR_M = 10.0


def seen_triangles(
    mesh: Mesh,
    camera: Camera,
    poses: Sequence[Float[np.ndarray, "4 4"]],
    virtual_poses: Sequence[Float[np.ndarray, "4 4"]] = (),
) -> Bool[np.ndarray, " triangles"]:
    """Decide which triangles count: in the picture of a camera, and not hidden.

    Each needs a vertex in the picture of a real camera, hidden or not, and one that the mesh
    itself does not hide from a real or a virtual camera (Co-SLAM; without virtual cameras that of
    GO-Surf and Neural RGB-D).

    Args:
        mesh: In the world of the poses.
        camera: Of all views, without distortion.
        poses: `world_from_camera` of the real views.
        virtual_poses: Those of views that were added to look behind things.
    """
    vertices = mesh.vertices.astype(np.float64)
    pictured, in_view = (np.zeros(len(vertices), dtype=bool) for _ in range(2))
    rays = MeshRays(mesh)
    for number, pose in enumerate((*poses, *virtual_poses)):
        is_real = number < len(poses)
        # One view suffices for each, so the later ones only judge what is left.
        left = np.flatnonzero(~in_view | ~pictured if is_real else ~in_view)
        inside, columns, rows, depth_m = in_picture(vertices[left], camera, pose)
        if is_real:
            pictured[left[inside]] = True
        first_m = rays.depth(camera, pose, _FAR_M, (rows, columns))
        in_view[left[inside]] |= depth_m < first_m + EPS_M
    return pictured[mesh.triangles].any(axis=1) & in_view[mesh.triangles].any(axis=1)


def with_triangles(mesh: Mesh, kept: Bool[np.ndarray, " triangles"]) -> Mesh:
    """Return a mesh of some of the triangles, and of their vertices."""
    used, triangles = np.unique(mesh.triangles[kept], return_inverse=True)
    return Mesh(
        mesh.vertices[used],
        triangles.reshape(-1, 3).astype(np.int32),
        mesh.normals[used],
        mesh.colours[used],
    )


def in_picture(
    points: Float[np.ndarray, "n 3"], camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
) -> tuple[
    Int[np.ndarray, " seen"],
    Int[np.ndarray, " seen"],
    Int[np.ndarray, " seen"],
    Float[np.ndarray, " seen"],
]:
    """Return which points a picture holds, their column, row and depth."""
    camera_from_world = rigid_inverse(world_from_camera)
    in_camera = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    before = np.flatnonzero(in_camera[:, 2] > 0)
    column, row = np.floor(project(camera, in_camera[before])).T
    inside = (column >= 0) & (column < camera.width_px) & (row >= 0) & (row < camera.height_px)
    found = before[inside]
    return found, column[inside].astype(int), row[inside].astype(int), in_camera[found, 2]
