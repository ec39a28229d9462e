# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What comes into the built-in room and goes: a walker, a box that is put down or taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ineus_core.sources.synthetic.analytic_scene import Part
from ineus_core.sources.synthetic.colours import BLUE, CREAM, ORANGE, RED, SKY, WALNUT
from ineus_core.sources.synthetic.shapes import Texture, box, rod, sphere

Visitor = Literal["none", "walker", "box_added", "box_removed"]
Position = tuple[float, float, float]

_PACE_M_S = 0.8
_LOOP_M = (1.6, 1.05)
"""Half axes of the way around the table."""
_ROOM_M = 0.75
"""Nobody walks through a camera: the walker keeps so far from it."""
_BOX_AT_M = (-1.0, 0.9, 0.2)


@dataclass(frozen=True)
class Visit:
    """What of a visitor is there.

    Args:
        parts: Solids at a share of the recording, a time in s and a place of the camera.
        left: Solids that are there at the end, and so belong to the true surface.
    """

    parts: Callable[[float, float, np.ndarray], Sequence[Part]]
    left: Sequence[Part] = ()


def visit_of(visitor: Visitor) -> Visit:
    """Return what a visitor does."""
    match visitor:
        case "walker":
            return Visit(lambda _, time_s, camera_m: _person(_walked_to(time_s, camera_m)))
        case "box_added":
            return Visit(lambda share, *_: [_BOX] if share >= 0.5 else [], [_BOX])
        case "box_removed":
            return Visit(lambda share, *_: [_BOX] if share < 0.5 else [])
        case _:
            return Visit(lambda *_: [])


def _walked_to(time_s: float, camera_m: np.ndarray) -> tuple[float, float]:
    """Return where the walker stands: on a loop around the table, against the camera's way."""
    angle = -time_s * _PACE_M_S / np.mean(_LOOP_M)
    place = np.array(_LOOP_M) * (np.cos(angle), np.sin(angle))
    away = place - camera_m[:2]
    # A camera right above the walker gives no direction to step aside in.
    distance_m = max(float(np.linalg.norm(away)), 1e-6)
    place += away / distance_m * max(0.0, _ROOM_M - distance_m)
    return float(place[0]), float(place[1])


def _person(at_m: tuple[float, float]) -> list[Part]:
    x, y = at_m
    return [
        Part(rod(0.18, 0.60), Texture("stripes", BLUE, SKY, 0.08), (x, y, 1.05)),
        Part(rod(0.14, 0.56), Texture("plain", WALNUT, WALNUT, 1.0), (x, y, 0.42)),
        Part(sphere(0.13), Texture("noise", CREAM, ORANGE, 0.08), (x, y, 1.62)),
    ]


_BOX = Part(box((0.40, 0.34, 0.40), 0.01), Texture("checker", RED, CREAM, 0.1), _BOX_AT_M)
