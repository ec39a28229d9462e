# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where in the world a map is trained: single precision has steps of 0.5 m at UTM coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import origin_near
from ineus_core.planning import EsdfSlice, OccupancySlice
from ineus_core.types import Frame, Mesh


@dataclass(frozen=True)
class MapOrigin:
    """The world position, in double precision, that the coordinates of a map count from.

    The axes are those of the world. At the world's own origin everything is handed on as it is.
    """

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.0

    @classmethod
    def near(cls, positions: Sequence[Float[np.ndarray, " 3"]]) -> "MapOrigin":
        """Return an origin near to places: whole kilometres, 0 if they are near."""
        return cls(*origin_near(positions).tolist())

    @property
    def is_zero(self) -> bool:
        """Whether it is the world's own origin."""
        return self == MapOrigin()

    @property
    def offset_m(self) -> Float[np.ndarray, " 3"]:
        """World position, float64."""
        return np.array((self.x_m, self.y_m, self.z_m))

    def pose_in_map(self, world_from_camera: Float[np.ndarray, "4 4"]) -> np.ndarray:
        """Return `map_from_camera`."""
        return self._moved(world_from_camera, -self.offset_m)

    def pose_in_world(self, map_from_camera: Float[np.ndarray, "4 4"]) -> np.ndarray:
        """Return `world_from_camera`."""
        return self._moved(map_from_camera, self.offset_m)

    def frame_in_map(self, frame: Frame) -> Frame:
        """Return the frame with its pose in the map."""
        if self.is_zero:
            return frame
        return replace(frame, world_from_camera=self.pose_in_map(frame.world_from_camera))

    def frame_in_world(self, frame: Frame) -> Frame:
        """Return the frame with its pose in the world."""
        if self.is_zero:
            return frame
        return replace(frame, world_from_camera=self.pose_in_world(frame.world_from_camera))

    def points_in_map(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Return points, or the corners of a box, in the map."""
        return points if self.is_zero else np.asarray(points, np.float64) - self.offset_m

    def points_in_world(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Return points in the world: float64 if the origin is another than the world's."""
        return points if self.is_zero else np.asarray(points, np.float64) + self.offset_m

    def mesh_in_world(self, mesh: Mesh) -> Mesh:
        """Return the mesh in the world: its vertices float64 if the origin is another."""
        if self.is_zero:
            return mesh
        return replace(mesh, vertices=self.points_in_world(mesh.vertices))

    def occupancy_in_world(self, found: OccupancySlice) -> OccupancySlice:
        """Return the slice in the world."""
        x_m, y_m = found.origin_m
        return replace(found, origin_m=(x_m + self.x_m, y_m + self.y_m))

    def esdf_in_world(self, found: EsdfSlice) -> EsdfSlice:
        """Return the slice in the world."""
        x_m, y_m = found.origin_m
        return replace(found, origin_m=(x_m + self.x_m, y_m + self.y_m), z_m=found.z_m + self.z_m)

    def esdf_in_map(self, found: EsdfSlice) -> EsdfSlice:
        """Return the slice in the map."""
        x_m, y_m = found.origin_m
        return replace(found, origin_m=(x_m - self.x_m, y_m - self.y_m), z_m=found.z_m - self.z_m)

    def _moved(self, pose: Float[np.ndarray, "4 4"], by_m: np.ndarray) -> np.ndarray:
        if self.is_zero:
            return pose
        moved = pose.astype(np.float64)
        moved[:3, 3] += by_m
        return moved
