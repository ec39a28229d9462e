# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a built-in scene, rendered when asked for, with exact poses and ground truth."""

from collections import Counter
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import look_at, pixel_rays
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.machine import machine
from ineus_core.sources.synthetic.mesh import scene_mesh
from ineus_core.sources.synthetic.render import (
    RenderedScene,
    add_depth_noise,
    render_scene,
    trace,
)
from ineus_core.sources.synthetic.scenes import room, sphere_directions, studded_object
from ineus_core.types import Camera, Frame, Mesh

FAR_M = 20.0
UP = np.array((0.0, 0.0, 1.0))


class SyntheticConfig(ConfigModel):
    """What is rendered and how."""

    scene: Literal["room", "object", "machine"] = Field(
        default="room",
        description="A walk through a furnished room, or views all around an object, or around a "
        "glossy one of several hundred small and thin parts",
    )
    frames: int = Field(default=0, ge=0, description="Number of frames; 0: 100")
    width_px: int = Field(
        default=0, ge=0, description="Image width in pixels; 0: 320 (room), 400 (else)"
    )
    height_px: int = Field(
        default=0, ge=0, description="Image height in pixels; 0: 240 (room), 400 (else)"
    )
    rate_hz: float = Field(default=10.0, gt=0, description="Frames per second of the stamps")
    depth: bool = Field(default=True, description="Whether frames have depth")
    ceiling: bool = Field(default=True, description="Whether the room has a ceiling")
    noise: float = Field(
        default=0.0,
        ge=0,
        description="Depth noise as a multiple of a Kinect's; 0: exact depth, no holes",
    )
    max_range_m: float = Field(
        default=8.0,
        gt=0,
        description="Largest depth in metres that the sensor returns where noise > 0",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the noise")


class SyntheticSource:
    """Renders the frames of a built-in scene one after another.

    The room has z up and its floor at z = 0; the other scenes lie within the unit sphere.

    Args:
        depth_range_m: Returns outside of it count as none.
        max_frames: Frames after this many are left out; 0: none is.
    """

    kind = "synthetic"

    def __init__(
        self,
        config: SyntheticConfig | None = None,
        depth_range_m: tuple[float, float] = (0.0, np.inf),
        max_frames: int = 0,
    ) -> None:
        self.config = config = config or SyntheticConfig()
        self.dropped: Counter[str] = Counter()
        self._depth_range_m = depth_range_m
        self.scene = _scene(config)
        self.camera = _camera(config)
        frames = config.frames or 100
        poses = room_walk(frames) if config.scene == "room" else object_views(frames)
        self.world_from_camera = poses[:max_frames] if max_frames else poses
        self._background = np.full(3, 255, dtype=np.uint8)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.world_from_camera)

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames in order."""
        return (self.frame(index) for index in range(len(self)))

    def frame(self, index: int) -> Frame:
        """Render one frame."""
        view = self._render(index)
        depth_m = self._measured(view, index) if self.config.depth else None
        return Frame(
            stamp_ns=round(index * 1e9 / self.config.rate_hz),
            camera=self.camera,
            world_from_camera=self.world_from_camera[index],
            rgb=view.rgb,
            depth_m=depth_m,
            foreground=None if self.config.scene == "room" else view.opacity,
        )

    def _measured(self, view: RenderedScene, index: int) -> Float[np.ndarray, "h w"]:
        depth_m, config = view.depth_m, self.config
        if config.noise > 0:
            rng = np.random.default_rng((config.seed, index))
            depth_m = add_depth_noise(
                depth_m, view.cos_incidence, config.noise, config.max_range_m, rng
            )
        low, high = self._depth_range_m
        return np.where((depth_m >= low) & (depth_m <= high), depth_m, np.float32(0))

    def foreground(self, index: int) -> Bool[np.ndarray, "h w"]:
        """True where the ray through the pixel's centre meets the scene in this frame."""
        return self._render(index).depth_m > 0

    def _render(self, index: int) -> RenderedScene:
        pose = self.world_from_camera[index]
        return render_scene(self.scene, self.camera, pose, self._background, FAR_M)

    def sdf(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Signed distance to the true surface in metres, positive in free space."""
        return self.scene.sdf(points)

    def reference_points(
        self, n: int = 200_000, seed: int = 0, spacing_m: float = 0.0
    ) -> Float[np.ndarray, "m 3"]:
        """At most `n` points on the surface that the frames see, about evenly spread.

        Args:
            spacing_m: Edge of the voxels that keep one point each; 0: 2 cm (room), 1 cm (else).
        """
        rng = np.random.default_rng(seed)
        spacing_m = spacing_m or (0.02 if self.config.scene == "room" else 0.01)
        rays = pixel_rays(self.camera)[::2, ::2].reshape(-1, 3).T.astype(np.float64)
        found = np.empty((0, 3))
        for pose in self.world_from_camera:
            jitter = rng.uniform(-1, 1, (2, rays.shape[1])) / self.camera.fx
            directions = rays + np.concatenate((jitter, np.zeros((1, rays.shape[1]))))
            directions = pose[:3, :3] @ (directions / np.linalg.norm(directions, axis=0))
            origins = np.repeat(pose[:3, 3:], rays.shape[1], axis=1)
            hits = trace(self.scene, origins, directions, FAR_M)
            found = _one_per_voxel(np.concatenate((found, hits.points[:, hits.hit].T)), spacing_m)
        chosen = rng.permutation(len(found))[:n]
        return found[np.sort(chosen)]

    def reference_mesh(self) -> Mesh:
        """The whole surface, also what no frame sees; sharp edges are cut by less than a voxel."""
        return scene_mesh(self.scene, 0.02 if self.config.scene == "room" else 0.01)


def _scene(config: SyntheticConfig) -> AnalyticScene:
    match config.scene:
        case "room":
            return room(config.ceiling)
        case "object":
            return studded_object()
    return machine()


def _camera(config: SyntheticConfig) -> Camera:
    is_room = config.scene == "room"
    width = config.width_px or (320 if is_room else 400)
    height = config.height_px or (240 if is_room else 400)
    focal = 0.6 * width if is_room else 1.3 * min(width, height)
    return Camera(width, height, focal, focal, width / 2, height / 2)


def _one_per_voxel(points: np.ndarray, spacing_m: float) -> np.ndarray:
    voxels = np.floor(points / spacing_m).astype(np.int64) + 4096
    _, first = np.unique(
        (voxels[:, 0] << 40) + (voxels[:, 1] << 20) + voxels[:, 2], return_index=True
    )
    return points[np.sort(first)]


def room_walk(frames: int) -> list[Float[np.ndarray, "4 4"]]:
    """Two rounds through the room at eye height, looking outwards first and inwards then."""
    poses = []
    for u in np.arange(frames) / frames:
        angle = 4 * np.pi * u + 3.6
        eye = np.array(
            (1.35 * np.cos(angle), 0.85 * np.sin(angle), 1.35 - 0.15 * np.cos(6 * np.pi * u))
        )
        # Half a turn of the head around the middle of the walk and around its end.
        inwards = 0.5 - 0.5 * np.cos(2 * np.pi * u)
        yaw = angle + np.pi * inwards
        pitch = -0.25 + 0.48 * np.sin(10 * np.pi * u)
        forward = np.array(
            (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
        )
        poses.append(look_at(eye, eye + forward, UP))
    return poses


def object_views(frames: int, radius_m: float = 3.0) -> list[Float[np.ndarray, "4 4"]]:
    """Cameras all around the origin, looking at it."""
    # The squeeze keeps them off the poles, where "up" means nothing.
    directions = sphere_directions(frames) * (1, 1, 0.97)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return [look_at(radius_m * d, np.zeros(3), UP) for d in directions]
