# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames become keyframes: those after enough motion, or with enough new surface."""

from typing import Protocol

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.geometry import block_indices
from ineus_core.keyframes.depth import DepthConfig, world_points
from ineus_core.types import Frame


class SelectorConfig(ConfigModel):
    """Thresholds of the gate; one that is reached makes a keyframe."""

    min_translation_m: float = Field(
        0.10, ge=0, description="Distance from the last keyframe, in m, that makes a new one."
    )
    min_rotation_deg: float = Field(
        8.0, ge=0, description="Turn since the last keyframe, in degrees, that makes a new one."
    )
    min_new_surface: float = Field(
        0.10,
        ge=0,
        le=1,
        description="Share of measured points that no keyframe has observed that makes one.",
    )
    max_blur: float = Field(
        0.0,
        ge=0,
        description="Frames whose gradient energy is below this share of the running mean are not "
        "kept; 0 = off.",
    )


class KeyframePolicy(Protocol):
    """What decides which frames become keyframes; `Reconstructor` takes one of your own."""

    def is_keyframe(self, frame: Frame) -> bool:
        """Decide on a frame, which comes once; a policy remembers what it needs of it.

        The frames of a set without depth whose number is known beforehand are all kept as long as
        there is room, whatever a policy says.
        """
        ...


class KeyframeSelector:
    """Remembers the last keyframe of each camera and the coarse cells that any has observed.

    Args:
        config: Thresholds.
        depth: The depth that is believed; other returns show no surface.
        cell_m: Side of the cells in which surface counts as observed.
    """

    _STRIDE_PX = 16

    def __init__(
        self, config: SelectorConfig, depth: DepthConfig | None = None, cell_m: float = 0.2
    ) -> None:
        """Start without a keyframe."""
        self._config, self._depth = config, depth or DepthConfig()
        self._cell_m = cell_m
        self._last_pose: dict[int, Float[np.ndarray, "4 4"]] = {}
        self._seen: set[tuple[int, int, int]] = set()
        self._mean_sharpness = 0.0

    def is_keyframe(self, frame: Frame) -> bool:
        """Decide on a frame, and remember it if it is kept."""
        # First, as the running mean of sharpness is over all frames.
        if self._is_blurred(frame):
            return False
        cells = self._cells(frame)
        moved = self._has_moved(frame)
        if not moved and not self._shows_new_surface(cells):
            return False
        self._last_pose[frame.camera_id] = frame.world_from_camera
        self._seen |= cells
        return True

    def _has_moved(self, frame: Frame) -> bool:
        # Cameras of a rig alternate: between two of them there is always motion.
        last, now = self._last_pose.get(frame.camera_id), frame.world_from_camera
        if last is None:
            return True
        # From the last keyframe, not from the last frame: slow motion adds up as well.
        translation_m = np.linalg.norm(now[:3, 3] - last[:3, 3])
        cosine = (np.trace(last[:3, :3].T @ now[:3, :3]) - 1) / 2
        rotation_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        return bool(
            translation_m >= self._config.min_translation_m
            or rotation_deg >= self._config.min_rotation_deg
        )

    def _shows_new_surface(self, cells: set[tuple[int, int, int]]) -> bool:
        # Without depth only motion decides.
        if not cells:
            return False
        return len(cells - self._seen) / len(cells) >= self._config.min_new_surface

    def _cells(self, frame: Frame) -> set[tuple[int, int, int]]:
        if frame.depth_m is None:
            return set()
        points = world_points(frame, self._depth, self._STRIDE_PX)
        return set(map(tuple, block_indices(points, self._cell_m).tolist()))

    def _is_blurred(self, frame: Frame) -> bool:
        if self._config.max_blur == 0:
            return False
        # Half of the pixels tell as much, and this runs for every frame.
        grey = frame.rgb[::2, ::2].mean(axis=2)
        sharpness = float(
            np.abs(np.diff(grey, axis=1)).mean() + np.abs(np.diff(grey, axis=0)).mean()
        )
        blurred = sharpness < self._config.max_blur * self._mean_sharpness
        # By a running mean, as every scene has its own; of all frames, or a blurred stretch would
        # lower what counts as sharp.
        self._mean_sharpness = (
            0.9 * self._mean_sharpness + 0.1 * sharpness if self._mean_sharpness else sharpness
        )
        return blurred
