# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A corridor of 40 m: doors, pictures, pillars, pipes, lamps and things on the floor."""

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
    box,
    box_frame,
    cylinder,
    half_space,
    rod,
    sphere,
)

CORRIDOR_SIZE_M = (40.0, 2.4, 2.6)
_SECTION_M = 4.0
_COLOURS = (RED, GREEN, BLUE, ORANGE, VIOLET, TEAL, PINK)


def corridor(with_ceiling: bool = True) -> AnalyticScene:
    """Build a corridor from x = 0 to 40 m, 2.4 m wide about the x axis, its floor at z = 0."""
    length, width, height = CORRIDOR_SIZE_M
    aabb = np.array([[0.0, -width / 2, 0.0], [length, width / 2, height]])
    # A section is a group, so that a ray asks only those that it comes through.
    sections = [_section(number) for number in range(round(length / _SECTION_M))]
    return AnalyticScene([_shell(with_ceiling), _pipes(), *sections], aabb)


def _shell(with_ceiling: bool) -> list[Part]:
    length, width, height = CORRIDOR_SIZE_M
    parts = [
        Part(half_space(2, 1, 0.0), Texture("checker", SAND, WALNUT, 0.30)),
        Part(half_space(1, 1, -width / 2), Texture("noise", CREAM, SAND, 0.35)),
        Part(half_space(1, -1, width / 2), Texture("noise", WHITE, SKY, 0.50)),
        Part(half_space(0, 1, 0.0), Texture("checker", TEAL, WHITE, 0.25)),
        Part(half_space(0, -1, length), Texture("noise", ORANGE, CREAM, 0.20)),
    ]
    if with_ceiling:
        parts.append(Part(half_space(2, -1, height), Texture("checker", WHITE, SAND, 0.60)))
    return parts


def _pipes() -> list[Part]:
    length, width, height = CORRIDOR_SIZE_M
    lie, middle = turn("y", 90), length / 2
    copper, tin = Texture("noise", ORANGE, WALNUT, 0.3), Texture("noise", SOOT, SKY, 0.2)
    return [
        Part(rod(0.05, length), copper, (middle, -width / 2 + 0.10, height - 0.15), lie),
        Part(rod(0.03, length), tin, (middle, -width / 2 + 0.20, height - 0.10), lie),
    ]


def _section(number: int) -> list[Part]:
    """Fill four metres; no two sections look alike, as matching would take one for the other."""
    begin, side = number * _SECTION_M, 1 if number % 2 else -1
    wall_y = CORRIDOR_SIZE_M[1] / 2
    return [
        *_door(begin + 0.9, side * wall_y, number),
        *_picture(begin + 2.6, -side * wall_y, number),
        *_pillar(begin + 3.7, side * wall_y, number),
        *_on_floor(begin + 2.2 + 0.2 * (number % 3), side * (wall_y - 0.3), number),
        *_lamp(begin + 2.0),
    ]


def _door(x: float, y: float, number: int) -> list[Part]:
    leaf = Texture("planks", _COLOURS[number % 7], CREAM, 0.11, shift=0.3 * number)
    handle = (x + 0.36, y - np.sign(y) * 0.08, 1.05)
    return [
        Part(box((0.90, 0.08, 2.05), 0.01), leaf, (x, y, 1.025)),
        Part(box_frame((1.06, 0.14, 2.16), 0.08), Texture("noise", OAK, SOOT, 0.1), (x, y, 1.03)),
        Part(sphere(0.035), Texture("noise", SOOT, YELLOW, 0.03), handle),
    ]


def _picture(x: float, y: float, number: int) -> list[Part]:
    colours = _COLOURS[(number + 2) % 7], _COLOURS[(number + 5) % 7]
    texture = Texture("noise", *colours, 0.10 + 0.02 * (number % 4), shift=1.7 * number)
    width = 0.7 + 0.1 * (number % 3)
    return [Part(box((width, 0.06, 0.55), 0.01), texture, (x, y, 1.5))]


def _pillar(x: float, y: float, number: int) -> list[Part]:
    texture = Texture("checker", WHITE, _COLOURS[(number + 3) % 7], 0.12, shift=0.2 * number)
    return [Part(box((0.25, 0.36, CORRIDOR_SIZE_M[2]), 0.02), texture, (x, y, 1.3))]


def _on_floor(x: float, y: float, number: int) -> list[Part]:
    first, second = _COLOURS[(number + 1) % 7], _COLOURS[(number + 4) % 7]
    match number % 3:
        case 0:
            crate = Texture("planks", OAK, first, 0.09, shift=0.4 * number)
            return [
                Part(box((0.45, 0.35, 0.40), 0.02), crate, (x, y, 0.20), turn("z", 15)),
                Part(sphere(0.14), Texture("checker", second, WHITE, 0.07), (x, y, 0.54)),
            ]
        case 1:
            seat, legs = Texture("stripes", first, CREAM, 0.06), Texture("noise", SOOT, SAND, 0.1)
            ends = [(x + dx, y, 0.20) for dx in (-0.40, 0.40)]
            return [
                Part(box((1.0, 0.34, 0.06), 0.02), seat, (x, y, 0.43)),
                *(Part(box((0.05, 0.30, 0.40), 0.01), legs, end) for end in ends),
            ]
        case _:
            bin_, soil = (
                Texture("stripes", first, WHITE, 0.05),
                Texture("noise", GREEN, SOOT, 0.06),
            )
            return [
                Part(cylinder(0.16, 0.45, 0.02), bin_, (x, y, 0.225)),
                Part(sphere(0.22), soil, (x, y, 0.60)),
            ]


def _lamp(x: float) -> list[Part]:
    texture = Texture("stripes", WHITE, YELLOW, 0.08)
    return [Part(box((0.90, 0.18, 0.08), 0.02), texture, (x, 0.2, CORRIDOR_SIZE_M[2] - 0.04))]
