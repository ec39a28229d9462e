# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where rays first meet a mesh, whichever way its triangles face, by Open3D."""

import numpy as np
from jaxtyping import Float, Int

from ineus_core.errors import MissingDependencyError
from ineus_core.geometry import cached_pixel_rays
from ineus_core.types import Camera, Mesh


class MeshRays:
    """A mesh that rays can be followed into."""

    def __init__(self, mesh: Mesh) -> None:
        """Sort the triangles into a tree.

        Raises:
            MissingDependencyError: Without Open3D.
        """
        try:
            import open3d
        except ImportError as error:
            raise MissingDependencyError("open3d", extra="eval") from error
        self._tensor = open3d.core.Tensor
        self._scene = open3d.t.geometry.RaycastingScene()
        self._is_empty = len(mesh.triangles) == 0
        if not self._is_empty:
            self._scene.add_triangles(
                np.ascontiguousarray(mesh.vertices, dtype=np.float32),
                np.ascontiguousarray(mesh.triangles, dtype=np.uint32),
            )

    def lengths(
        self, origin: Float[np.ndarray, " 3"], directions: Float[np.ndarray, "*rays 3"]
    ) -> Float[np.ndarray, "*rays"]:
        """Return how many times its direction each ray from `origin` is long; infinite: no hit."""
        if self._is_empty or directions.size == 0:
            return np.full(directions.shape[:-1], np.inf)
        rays = np.empty((*directions.shape[:-1], 6), dtype=np.float32)
        rays[..., :3], rays[..., 3:] = origin, directions
        return np.asarray(self._scene.cast_rays(self._tensor(rays))["t_hit"].numpy())

    def depth(
        self,
        camera: Camera,
        world_from_camera: Float[np.ndarray, "4 4"],
        far_m: float,
        pixels: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]] | tuple[()] = (),
    ) -> Float[np.ndarray, "*shape"]:
        """Return the depth along the optical axis at pixel centres, 0 where nothing is so near.

        Args:
            pixels: Rows and columns of some; else of all.
        """
        rays = cached_pixel_rays(camera, 1)[pixels]
        # As long as depth 1, so that lengths are depths.
        rays = (rays / rays[..., 2:]) @ world_from_camera[:3, :3].T
        depth_m = self.lengths(world_from_camera[:3, 3], rays)
        return np.where(depth_m < far_m, depth_m, 0)
