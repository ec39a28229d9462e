# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in scenes by name: what is there, how it is looked at, and how fine it is."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray

from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.corridor import corridor
from ineus_core.sources.synthetic.furnished_room import room
from ineus_core.sources.synthetic.hall import hall
from ineus_core.sources.synthetic.machine import machine
from ineus_core.sources.synthetic.studded_object import studded_object
from ineus_core.sources.synthetic.view_paths import (
    corridor_walk,
    hall_walk,
    object_views,
    room_walk,
)
from ineus_core.types import Camera


@dataclass(frozen=True)
class BuiltInScene:
    """A scene and what belongs to it."""

    about: str
    build: Callable[[bool], AnalyticScene]
    """Called with whether a room, a corridor or a hall has its ceiling."""
    views: Callable[[int], list[Float[ndarray, "4 4"]]]
    """Poses of so many frames."""
    size_px: tuple[int, int]
    """Width and height of the pictures where no setting says another."""
    focal: Callable[[int, int], float]
    """Focal length in pixels of pictures of a width and height."""
    detail_m: float
    """Voxel of the true mesh, and spacing of the true points."""
    is_enclosed: bool = False
    """Surfaces all around: no picture shows a background."""
    far_m: float = 20.0
    """No surface is farther from a camera."""

    def camera(self, width_px: int, height_px: int) -> Camera:
        """Return the camera of pictures of a size, 0 standing for the scene's own."""
        width, height = width_px or self.size_px[0], height_px or self.size_px[1]
        focal = self.focal(width, height)
        return Camera(width, height, focal, focal, width / 2, height / 2)


def _holding_all(width_px: int, height_px: int) -> float:
    return 1.3 * min(width_px, height_px)


def _wide(width_px: int, height_px: int) -> float:
    return 0.6 * width_px


SCENES = {
    "room": BuiltInScene(
        "a walk through a furnished room",
        room,
        room_walk,
        (320, 240),
        _wide,
        0.02,
        is_enclosed=True,
    ),
    "object": BuiltInScene(
        "views all around an object with thin and hollow parts",
        lambda _: studded_object(),
        object_views,
        (400, 400),
        _holding_all,
        0.01,
    ),
    "machine": BuiltInScene(
        "views all around a glossy digger of several hundred small and thin parts",
        lambda _: machine(),
        object_views,
        (400, 400),
        _holding_all,
        0.01,
    ),
    "corridor": BuiltInScene(
        "a walk along a corridor of 40 m",
        corridor,
        corridor_walk,
        (320, 240),
        _wide,
        0.03,
        is_enclosed=True,
        far_m=50.0,
    ),
    "hall": BuiltInScene(
        "a walk around a hall of 20 m whose walls are nearly plain",
        hall,
        hall_walk,
        (320, 240),
        _wide,
        0.05,
        is_enclosed=True,
        far_m=30.0,
    ),
}
"""The one list of scenes: settings, messages, help and the page of sources go by it."""


def scene_named(name: str) -> BuiltInScene:
    """Return the scene of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in SCENES:
        raise ValueError(f"expected one of {', '.join(SCENES)}")
    return SCENES[name]
