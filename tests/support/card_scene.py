# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a slanted wall and, if asked, of a card before it, with exact depth and poses."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ineus_core.geometry import pixel_rays
from ineus_core.types import Camera, Frame

WALL = np.array((0.3, 0.1, -1.0, 2.0))
"""Plane a x + b y + c z + d = 0, about 2 before the first camera."""
CARD = np.array((0.0, 0.0, -1.0, 1.4))
CARD_HALF = 0.25
_RNG = np.random.default_rng(5)
_WAVES = _RNG.normal(0, 22, (24, 2))
_PHASES = _RNG.uniform(0, 2 * np.pi, (24, 3))


@dataclass(frozen=True)
class CardScene:
    """What is there; lengths are in `unit`."""

    has_card: bool = False
    contrast: float = 1.0
    """Of the texture; 0: plain."""
    noise: float = 0.0
    """Standard deviation in grey levels."""
    plain_half: float = 0.0
    """Half the side of a square of the wall without texture."""
    unit: float = 1.0

    def frame(
        self, number: int, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> Frame:
        """Take a picture; the pose is in the unit of the scene."""
        depth, _, points = self._hits(camera, world_from_camera)
        waves = np.sin(points[..., :2] @ _WAVES.T)
        shade = np.stack([(waves * np.cos(_PHASES[:, i])).sum(axis=-1) for i in range(3)], axis=-1)
        is_plain = (np.abs(points[..., :2]) < self.plain_half).all(axis=-1)
        rgb = 128 + 14 * self.contrast * shade * ~is_plain[..., None]
        rgb += np.random.default_rng(number).normal(0, self.noise, rgb.shape)
        return Frame(
            number * 100_000_000,
            camera,
            world_from_camera,
            np.clip(np.round(rgb), 0, 255).astype(np.uint8),
            (depth * self.unit).astype(np.float32),
        )

    def is_card(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> Bool[np.ndarray, "h w"]:
        """Tell which pixels show the card."""
        return self._hits(camera, world_from_camera)[1]

    def _hits(
        self, camera: Camera, world_from_camera: Float[np.ndarray, "4 4"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth, whether it is of the card, and points, all in units of the scene."""
        rays = pixel_rays(camera).astype(np.float64)
        directions = (rays / rays[..., 2:]) @ world_from_camera[:3, :3].T
        eye = world_from_camera[:3, 3] / self.unit
        depth = _meets(WALL, eye, directions)
        card_depth = _meets(CARD, eye, directions)
        on_card = eye + directions * card_depth[..., None]
        is_card = self.has_card & (np.abs(on_card[..., :2]) < CARD_HALF).all(axis=-1)
        depth = np.where(is_card, card_depth, depth)
        points = eye + directions * depth[..., None]
        # The card has a texture of its own.
        return depth, is_card, points + 3.0 * is_card[..., None]


def _meets(plane: np.ndarray, eye: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return -(plane[:3] @ eye + plane[3]) / (directions @ plane[:3])


def camera_of(width_px: int = 160, height_px: int = 120, **lens: object) -> Camera:
    """Return a camera whose picture is as wide as 0.8 of the depth."""
    focal = 0.8 * width_px
    return Camera(width_px, height_px, focal, focal, width_px / 2, height_px / 2, **lens)  # type: ignore[arg-type]


def pose_at(*position: float, turn: float = 0.0) -> Float[np.ndarray, "4 4"]:
    """Return a camera that looks along z from a position, turned about the image's upright."""
    pose = np.eye(4)
    pose[0, 0] = pose[2, 2] = np.cos(turn)
    pose[0, 2], pose[2, 0] = np.sin(turn), -np.sin(turn)
    pose[:3, 3] = position
    return pose
