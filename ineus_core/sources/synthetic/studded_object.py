# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""An object with thin and hollow parts: a studded plate with rings, rods, a bowl and a cage."""

import numpy as np

from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.colours import (
    BLUE,
    CREAM,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    SOOT,
    TEAL,
    VIOLET,
    WHITE,
    YELLOW,
)
from ineus_core.sources.synthetic.placing import sphere_directions, turn
from ineus_core.sources.synthetic.shapes import (
    Texture,
    bowl,
    box,
    box_frame,
    cylinder,
    rod,
    sphere,
    torus,
)


def studded_object() -> AnalyticScene:
    """Build an object in the unit sphere: a studded plate with rings, rods, a bowl and a cage."""
    groups = [_plate(), _studs(), _core(), _bumps(), _rods(), _hollow()]
    return AnalyticScene(groups, np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))


def _plate() -> list[Part]:
    return [
        Part(box((1.30, 0.96, 0.12), 0.03), Texture("checker", TEAL, CREAM, 0.10), (0, 0, -0.46)),
        Part(cylinder(0.30, 0.14, 0.02), Texture("stripes", SOOT, YELLOW, 0.05), (0, 0, -0.59)),
    ]


def _studs() -> list[Part]:
    red, blue = Texture("noise", RED, ORANGE, 0.05), Texture("noise", BLUE, SKY, 0.05)
    places = [(-0.54 + 0.18 * i, -0.36 + 0.18 * j) for i in range(7) for j in range(5)]
    rim = [(x, y) for x, y in places if abs(x) > 0.45 or abs(y) > 0.3]
    return [
        Part(cylinder(0.055, 0.08, 0.01), red if i % 2 else blue, (x, y, -0.37))
        for i, (x, y) in enumerate(rim)
    ]


def _core() -> list[Part]:
    return [
        Part(sphere(0.26), Texture("checker", VIOLET, PINK, 0.08), (0, 0, -0.10)),
        Part(
            torus(0.44, 0.05),
            Texture("checker", ORANGE, WHITE, 0.07),
            (0, 0, -0.06),
            turn("x", 72),
        ),
        Part(
            torus(0.40, 0.025),
            Texture("stripes", GREEN, WHITE, 0.05),
            (0, 0, -0.04),
            turn("z", 60) @ turn("x", 55),
        ),
    ]


def _bumps(count: int = 28) -> list[Part]:
    texture = Texture("noise", YELLOW, GREEN, 0.04)
    return [
        Part(sphere(0.045), texture, tuple(0.26 * d + (0, 0, -0.10)))
        for d in sphere_directions(count)
    ]


def _rods() -> list[Part]:
    texture = Texture("stripes", WHITE, RED, 0.05)
    rods = []
    for i in range(6):
        angle = 2 * np.pi * (i + 0.5) / 6
        lean = turn("z", float(np.degrees(angle))) @ turn("y", 10)
        place = (0.42 * np.cos(angle), 0.30 * np.sin(angle), -0.02)
        rods.append(Part(rod(0.014, 0.80), texture, place, lean))
    return rods


def _hollow() -> list[Part]:
    return [
        Part(bowl(0.30, 0.06, 0.03), Texture("stripes", SKY, BLUE, 0.06), (0, 0, 0.56)),
        Part(sphere(0.09), Texture("checker", RED, CREAM, 0.05), (0.02, 0.03, 0.38)),
        Part(
            box_frame((0.34, 0.34, 0.34), 0.035),
            Texture("noise", SOOT, ORANGE, 0.06),
            (0.46, 0.28, -0.10),
            turn("z", 30) @ turn("x", 35),
        ),
        Part(
            box((0.24, 0.24, 0.24), 0.05),
            Texture("checker", GREEN, CREAM, 0.06),
            (-0.44, -0.26, -0.24),
            turn("z", 20),
        ),
    ]
