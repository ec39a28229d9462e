# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A furnished room: walls, table, chair, sofa, shelf, lamp and more, each part with a texture."""

import numpy as np

from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.colours import (
    BLUE,
    CREAM,
    GREEN,
    OAK,
    ORANGE,
    PINK,
    RED,
    SAND,
    SKY,
    SOOT,
    TEAL,
    VIOLET,
    WALNUT,
    WHITE,
    YELLOW,
)
from ineus_core.sources.synthetic.placing import turn
from ineus_core.sources.synthetic.shapes import (
    Texture,
    bowl,
    box,
    box_frame,
    cylinder,
    half_space,
    sphere,
    torus,
    wall,
)

ROOM_SIZE_M = (5.0, 4.0, 2.6)


def room(with_ceiling: bool = True) -> AnalyticScene:
    """Build a room of 5 x 4 x 2.6 m about the z axis, its floor at z = 0, with furniture."""
    aabb = np.array([[-2.5, -2.0, 0.0], [2.5, 2.0, 2.6]])
    groups = [_shell(with_ceiling), _table(), _on_table(), _chair(), _sofa(), _shelf(), _books()]
    groups += [_lamp(), _cabinet(), _on_floor(), _on_walls()]
    return AnalyticScene(groups, aabb)


def _shell(with_ceiling: bool) -> list[Part]:
    x, y, z = ROOM_SIZE_M[0] / 2, ROOM_SIZE_M[1] / 2, ROOM_SIZE_M[2]
    parts = [
        Part(half_space(2, 1, 0.0), Texture("planks", OAK, WALNUT, 0.16)),
        Part(wall(0, 1, -x, z), Texture("checker", CREAM, SAND, 0.40)),
        Part(wall(0, -1, x, z), Texture("noise", SKY, TEAL, 0.45)),
        Part(wall(1, 1, -y, z), Texture("stripes", WHITE, PINK, 0.22)),
        Part(wall(1, -1, y, z), Texture("noise", CREAM, ORANGE, 0.60)),
    ]
    if with_ceiling:
        parts.append(Part(half_space(2, -1, z), Texture("checker", WHITE, SKY, 0.50)))
    return parts


def _table() -> list[Part]:
    wood, x, y = Texture("planks", SAND, WALNUT, 0.10), 0.15, 0.05
    legs = [(x + sx * 0.52, y + sy * 0.27, 0.355) for sx in (-1, 1) for sy in (-1, 1)]
    top = Part(box((1.20, 0.70, 0.05), 0.015), wood, (x, y, 0.735))
    return [top] + [Part(box((0.06, 0.06, 0.71), 0.01), wood, leg) for leg in legs]


def _on_table() -> list[Part]:
    return [
        Part(sphere(0.13), Texture("checker", RED, WHITE, 0.07), (-0.15, 0.12, 0.89)),
        Part(bowl(0.15, 0.03, 0.025), Texture("stripes", BLUE, WHITE, 0.05), (0.42, 0.12, 0.92)),
        Part(
            box((0.24, 0.17, 0.07), 0.01),
            Texture("noise", GREEN, YELLOW, 0.08),
            (0.18, -0.14, 0.795),
            turn("z", 25),
        ),
    ]


def _chair() -> list[Part]:
    cloth, frame = Texture("checker", TEAL, CREAM, 0.06), Texture("noise", SOOT, WALNUT, 0.10)
    rotation, centre = turn("z", 35), np.array((-0.85, -0.75, 0.0))

    def place(x: float, y: float, z: float) -> tuple[float, float, float]:
        return tuple(centre + rotation @ (x, y, z))  # type: ignore[return-value]

    parts = [
        # Seat and back.
        Part(box((0.44, 0.44, 0.06), 0.02), cloth, place(0, 0, 0.45), rotation),
        Part(box((0.05, 0.44, 0.34), 0.02), cloth, place(-0.20, 0, 0.77), rotation),
    ]
    # The legs behind go on as posts of the back.
    for y in (-0.19, 0.19):
        parts.append(Part(cylinder(0.022, 0.93), frame, place(-0.20, y, 0.465), rotation))
        parts.append(Part(cylinder(0.022, 0.44), frame, place(0.19, y, 0.22), rotation))
    return parts


def _sofa() -> list[Part]:
    cloth, cushion = Texture("noise", BLUE, VIOLET, 0.12), Texture("checker", YELLOW, ORANGE, 0.08)
    x, y = 0.3, 1.55
    return [
        # Seat, back, two arms, and a cushion that leans.
        Part(box((1.80, 0.80, 0.40), 0.06), cloth, (x, y, 0.22)),
        Part(box((1.80, 0.22, 0.50), 0.08), cloth, (x, y + 0.30, 0.62)),
        Part(box((0.20, 0.80, 0.36), 0.08), cloth, (x - 0.82, y, 0.46)),
        Part(box((0.20, 0.80, 0.36), 0.08), cloth, (x + 0.82, y, 0.46)),
        Part(box((0.40, 0.14, 0.40), 0.06), cushion, (x - 0.40, y + 0.08, 0.60), turn("x", -18)),
    ]


def _shelf() -> list[Part]:
    wood, x, y, width, depth, height = (
        Texture("planks", OAK, SAND, 0.12),
        -2.32,
        0.7,
        1.1,
        0.34,
        1.7,
    )
    heights = (0.05, 0.45, 0.87, 1.29, height - 0.02)
    boards = [Part(box((depth, width, 0.03)), wood, (x, y, z)) for z in heights]
    sides = [
        Part(box((depth, 0.03, height)), wood, (x, y + side * (width / 2 - 0.015), height / 2))
        for side in (-1, 1)
    ]
    return boards + sides


def _books() -> list[Part]:
    colours = (RED, GREEN, BLUE, ORANGE, VIOLET, TEAL)
    parts = []
    for row, z in enumerate((0.465, 0.885, 1.305)):
        y = 0.22 + 0.12 * row
        for i, (thickness, height) in enumerate(((0.08, 0.26), (0.11, 0.22), (0.07, 0.29))):
            texture = Texture("stripes", colours[(i + 2 * row) % 6], WHITE, 0.06)
            place = (-2.34, y + thickness / 2, z + height / 2)
            parts.append(Part(box((0.22, thickness, height), 0.005), texture, place))
            y += thickness + 0.02
    # What else lies on the shelf.
    parts.append(Part(sphere(0.11), Texture("checker", PINK, SOOT, 0.06), (-2.32, 0.98, 0.575)))
    parts.append(Part(torus(0.10, 0.035), Texture("noise", YELLOW, RED, 0.05), (-2.3, 0.45, 0.1)))
    return parts


def _lamp() -> list[Part]:
    metal, x, y = Texture("stripes", SOOT, SAND, 0.05), 2.05, 1.55
    return [
        # Foot, pole and shade.
        Part(cylinder(0.16, 0.03, 0.01), metal, (x, y, 0.015)),
        Part(cylinder(0.02, 1.40), metal, (x, y, 0.70)),
        Part(cylinder(0.20, 0.28, 0.02), Texture("stripes", YELLOW, WHITE, 0.06), (x, y, 1.50)),
    ]


def _cabinet() -> list[Part]:
    return [
        Part(
            box((0.45, 1.30, 0.80), 0.01), Texture("planks", CREAM, TEAL, 0.18), (2.26, -0.7, 0.40)
        ),
        Part(
            box((0.05, 0.75, 0.45), 0.01), Texture("noise", SOOT, BLUE, 0.20), (2.20, -0.7, 1.08)
        ),
        Part(
            box((0.20, 0.30, 0.06), 0.01), Texture("noise", SOOT, SAND, 0.08), (2.20, -0.7, 0.83)
        ),
    ]


def _on_floor() -> list[Part]:
    crate = Texture("checker", ORANGE, WALNUT, 0.09)
    return [
        Part(sphere(0.20), Texture("stripes", RED, WHITE, 0.10), (1.30, -1.45, 0.20)),
        Part(box((0.45, 0.38, 0.34), 0.02), crate, (-1.95, -1.60, 0.17), turn("z", 12)),
        Part(
            box((0.30, 0.30, 0.26), 0.04), Texture("noise", GREEN, SKY, 0.07), (-1.93, -1.6, 0.47)
        ),
        Part(
            cylinder(0.17, 0.42, 0.03), Texture("checker", VIOLET, PINK, 0.08), (0.45, -1.7, 0.21)
        ),
    ]


def _on_walls() -> list[Part]:
    frame = Texture("noise", SOOT, OAK, 0.10)
    return [
        Part(
            box((0.90, 0.05, 0.60), 0.01), Texture("noise", GREEN, SKY, 0.15), (-0.3, -1.98, 1.55)
        ),
        Part(
            box((0.05, 0.60, 0.60), 0.01),
            Texture("checker", RED, YELLOW, 0.12),
            (-2.48, -0.9, 1.5),
        ),
        # A window without a pane, then a board with a box on it.
        Part(box_frame((0.08, 0.90, 0.70), 0.05), frame, (2.47, 0.65, 1.55)),
        Part(box((1.20, 0.16, 0.04)), Texture("planks", WALNUT, SOOT, 0.05), (0.1, 1.92, 1.45)),
        Part(
            box((0.18, 0.10, 0.24), 0.01),
            Texture("stripes", TEAL, CREAM, 0.04),
            (-0.2, 1.92, 1.59),
        ),
    ]
