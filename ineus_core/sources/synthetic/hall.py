# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A hall of 20 m whose walls and ceiling are nearly plain: columns, racks, crates, a gallery."""

import numpy as np

from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.colours import (
    BLUE,
    CREAM,
    GREEN,
    OAK,
    ORANGE,
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
    box,
    box_frame,
    cylinder,
    half_space,
    sphere,
)

HALL_SIZE_M = (20.0, 12.0, 5.0)
_COLOURS = (RED, TEAL, ORANGE, BLUE, GREEN, VIOLET)
_PLAIN = Texture("plain", CREAM, CREAM, 1.0)


def hall(with_ceiling: bool = True) -> AnalyticScene:
    """Build a hall of 20 x 12 x 5 m about the z axis, its floor at z = 0."""
    length, width, height = HALL_SIZE_M
    aabb = np.array([[-length / 2, -width / 2, 0.0], [length / 2, width / 2, height]])
    groups = [_shell(with_ceiling), *_columns(), _signs(), _windows(), _gallery()]
    groups += [_rack(number) for number in range(4)]
    groups += [_crates(number) for number in range(6)]
    return AnalyticScene(groups, aabb)


def _shell(with_ceiling: bool) -> list[Part]:
    length, width, height = HALL_SIZE_M
    parts = [
        Part(half_space(2, 1, 0.0), Texture("noise", SAND, CREAM, 0.9)),
        Part(half_space(0, 1, -length / 2), _PLAIN),
        Part(half_space(0, -1, length / 2), Texture("plain", SKY, SKY, 1.0)),
        Part(half_space(1, 1, -width / 2), Texture("plain", WHITE, WHITE, 1.0)),
        Part(half_space(1, -1, width / 2), _PLAIN),
    ]
    if with_ceiling:
        parts.append(Part(half_space(2, -1, height), Texture("noise", WHITE, CREAM, 2.5)))
    return parts


def _columns() -> list[list[Part]]:
    height = HALL_SIZE_M[2]
    columns = []
    for number, x in enumerate((-7.0, -3.5, 0.0, 3.5, 7.0)):
        texture = Texture("checker", SAND, _COLOURS[number], 0.25, shift=0.3 * number)
        columns.append(
            [
                Part(cylinder(0.25, height), texture, (x, 0.0, height / 2)),
                Part(
                    box((0.7, 0.7, 0.3), 0.03), Texture("noise", SOOT, SAND, 0.2), (x, 0.0, 0.15)
                ),
            ]
        )
    return columns


def _signs() -> list[Part]:
    length, width, _ = HALL_SIZE_M
    signs = []
    for number, x in enumerate((-8.0, -4.6, -1.4, 2.2, 5.2, 8.4)):
        texture = Texture("noise", _COLOURS[number], WHITE, 0.18, shift=2.3 * number)
        side = 1 if number % 2 else -1
        size = (1.0 + 0.2 * (number % 3), 0.06, 0.8)
        signs.append(Part(box(size, 0.01), texture, (x, side * width / 2, 1.7)))
    for side in (-1, 1):
        door = Texture("planks", WALNUT, OAK, 0.15, shift=0.5 * side)
        signs.append(Part(box((0.10, 2.4, 2.6), 0.01), door, (side * length / 2, 2.0 * side, 1.3)))
        for y, colour in ((-4.2 * side, GREEN), (-1.2 * side, RED), (4.6 * side, BLUE)):
            banner = Texture("noise", colour, WHITE, 0.16, shift=1.9 * y)
            signs.append(Part(box((0.06, 0.7, 1.6), 0.01), banner, (side * length / 2, y, 2.2)))
    return signs


def _windows() -> list[Part]:
    width = HALL_SIZE_M[1]
    frame = Texture("noise", SOOT, TEAL, 0.15)
    return [
        Part(box_frame((2.0, 0.12, 1.2), 0.10), frame, (x, width / 2, 3.4))
        for x in (-7.5, -2.5, 2.5, 7.5)
    ]


def _gallery() -> list[Part]:
    """Make a beam along one wall, and its posts."""
    width = HALL_SIZE_M[1]
    steel = Texture("stripes", YELLOW, SOOT, 0.35)
    y = -width / 2 + 0.6
    posts = [
        Part(box((0.14, 0.14, 3.0), 0.01), Texture("checker", RED, CREAM, 0.2), (x, y, 1.5))
        for x in (-9.0, -4.5, 0.0, 4.5, 9.0)
    ]
    return [Part(box((19.0, 0.20, 0.30), 0.01), steel, (0.0, y, 3.15)), *posts]


def _rack(number: int) -> list[Part]:
    x, y = -6.6 + 4.4 * number, -3.8
    wood = Texture("planks", OAK, _COLOURS[number], 0.12, shift=0.7 * number)
    shelves = [Part(box((2.0, 0.6, 0.05)), wood, (x, y, z)) for z in (0.1, 0.8, 1.5)]
    sides = [Part(box((0.05, 0.6, 1.6)), wood, (x + dx, y, 0.8)) for dx in (-1.0, 1.0)]
    stored = []
    for i, (dx, size) in enumerate(((-0.6, 0.42), (0.0, 0.34), (0.55, 0.5))):
        pair = _COLOURS[(number + i) % 6], _COLOURS[(number + i + 2) % 6]
        texture = Texture("noise", *pair, 0.12, shift=1.1 * (number + i))
        stored.append(Part(box((size,) * 3, 0.02), texture, (x + dx, y, 0.825 + size / 2)))
    return [*shelves, *sides, *stored]


def _crates(number: int) -> list[Part]:
    x, y = -7.5 + 3.1 * number, 3.9 + 0.5 * (number % 2)
    wood = Texture("planks", SAND, _COLOURS[number], 0.14, shift=0.6 * number)
    ball = Texture("checker", _COLOURS[(number + 3) % 6], WHITE, 0.12)
    return [
        Part(box((0.9, 0.7, 0.6), 0.02), wood, (x, y, 0.3), turn("z", 20.0 * number)),
        Part(sphere(0.28), ball, (x, y, 0.88)),
        Part(cylinder(0.2, 0.9, 0.02), Texture("stripes", TEAL, CREAM, 0.1), (x + 1.1, y, 0.45)),
    ]
