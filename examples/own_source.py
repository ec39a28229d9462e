# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Read frames from a source of one's own: views of a ball, whose exact surface is known."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from ineus_core import Camera, Frame, Reconstructor, load_config, open_source, resolve_device
from ineus_core.config_model import ConfigModel
from ineus_core.geometry import look_at, pixel_rays
from ineus_core.sources import ReadOptions, register_source


class BallConfig(ConfigModel):
    """The section `source.ball` of the configuration."""

    radius_m: float = Field(0.5, gt=0, description="Radius of the ball, in metres.")
    frames: int = Field(16, ge=1, description="Number of frames.")


class BallSource:
    """Views of a ball at the origin, from a circle around it."""

    def __init__(self, path: str | Path, config: BallConfig, options: ReadOptions) -> None:
        self.dropped: Counter[str] = Counter()
        self._config, self._options = config, options
        self._camera = Camera(80, 60, fx=60.0, fy=60.0, cx=40.0, cy=30.0)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames by rising stamp."""
        for index, angle in enumerate(np.linspace(0, 2 * np.pi, self._config.frames, False)):
            eye = np.array((1.5 * np.cos(angle), 1.5 * np.sin(angle), 0.4))
            pose = look_at(eye, np.zeros(3), np.array((0.0, 0.0, 1.0)))
            rgb, depth_m = self._view(eye, pose)
            stamp_ns = round(1e9 * index * self._options.frame_period_s)
            yield Frame(stamp_ns, self._camera, pose, rgb, depth_m)

    def _view(self, eye: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intersect the rays of all pixels with the ball."""
        rays = pixel_rays(self._camera)
        directions = rays @ pose[:3, :3].T
        half_b = directions @ eye
        discriminant = half_b**2 - (eye @ eye - self._config.radius_m**2)
        hit = discriminant > 0
        range_m = np.where(hit, -half_b - np.sqrt(np.maximum(discriminant, 0)), 0)
        normals = (eye + directions * range_m[..., None]) / self._config.radius_m
        rgb = np.where(hit[..., None], 127 * normals + 128, 0).astype(np.uint8)
        return rgb, (range_m * rays[..., 2]).astype(np.float32)


register_source("ball", BallSource, BallConfig)

config = load_config(overrides=["source.ball.radius_m=0.4", "meshing.voxel_size_m=0.04"])
reconstructor = Reconstructor(config, resolve_device(config.device))
for frame in open_source("", kind="ball", config=config.source):
    reconstructor.add_frame(frame)
    for _ in range(5):
        reconstructor.step()
distance_m = np.linalg.norm(reconstructor.mesh().vertices, axis=1)
print(f"vertices are {np.median(distance_m):.2f} m from the centre of the ball")
