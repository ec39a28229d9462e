# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A built-in object as hard as scenes of toy bricks: hundreds of small, thin and glossy parts."""

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
    WHITE,
    YELLOW,
)
from ineus_core.sources.synthetic.placing import turn
from ineus_core.sources.synthetic.shapes import Texture, bowl, box, cylinder, rod, torus

_GLOSS = 0.3
_THIN_M = 0.008


def machine() -> AnalyticScene:
    """Build a digger of bricks within the unit sphere, on studs, with treads and a crane."""
    groups = [_plate(), *_studs(), _body(), *(_tread(y) for y in (-0.26, 0.26)), _cabin()]
    groups += [_crane(), _boom(), _bucket()]
    return AnalyticScene(groups, np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]), _GLOSS)


def _plate() -> list[Part]:
    ground = Texture("checker", OAK, SAND, 0.08)
    return [Part(box((1.44, 1.04, 0.05), 0.01), ground, (0, 0, -0.52))]


def _studs() -> list[list[Part]]:
    """Make a group for each row of the plate."""
    sand = Texture("noise", SAND, OAK, 0.03)
    return [
        [Part(cylinder(0.028, 0.03, 0.004), sand, (-0.66 + 0.12 * i, y, -0.48)) for i in range(12)]
        for y in (-0.46, -0.38, 0.38, 0.46)
    ]


def _body() -> list[Part]:
    yellow, dark = Texture("noise", YELLOW, ORANGE, 0.03), Texture("stripes", SOOT, CREAM, 0.02)
    parts = [
        Part(box((0.62, 0.36, 0.14), 0.01), yellow, (0, 0, -0.22)),
        Part(
            box((0.30, 0.30, 0.12), 0.01), Texture("checker", SOOT, YELLOW, 0.03), (-0.2, 0, -0.1)
        ),
        Part(cylinder(0.06, 0.10, 0.01), dark, (0.02, 0, -0.12)),
    ]
    for i in range(5):
        x = -0.31 + 0.055 * i
        parts += [Part(box((0.012, 0.28, 0.05)), dark, (x, 0, -0.02))]
        parts += [
            Part(cylinder(0.018, 0.02, 0.003), yellow, (0.06 + 0.05 * i, y, -0.14))
            for y in (-0.14, -0.09, 0.09, 0.14)
        ]
    return parts


def _tread(y: float) -> list[Part]:
    """Make links on a belt around two wheels, and what turns in it."""
    rubber, metal = Texture("noise", SOOT, TEAL, 0.02), Texture("stripes", CREAM, SOOT, 0.03)
    radius, half = 0.11, 0.26
    straight, bend = 2 * half, np.pi * radius
    links, length = [], 2 * (straight + bend)
    # By the way along the belt: a straight and a bend, then the same turned round by half.
    for s in np.arange(36) / 36 * length:
        side, along = divmod(s, straight + bend)
        turned = max(along - straight, 0.0) / radius
        angle = np.degrees(turned + np.pi * side)
        flip = turn("y", float(np.degrees(np.pi * side)))
        x = min(along, straight) - half + radius * np.sin(turned)
        place = flip @ (x, 0.0, radius * np.cos(turned))
        centre = (place[0], y, place[2] - 0.36)
        links.append(Part(box((0.03, 0.13, 0.022), 0.004), rubber, centre, turn("y", angle)))
    wheels = [
        Part(cylinder(0.075, 0.09, 0.01), metal, (x, y, -0.36), turn("x", 90))
        for x in (-half, 0.0, half)
    ]
    return links + wheels


def _cabin() -> list[Part]:
    frame, seat = Texture("noise", RED, ORANGE, 0.04), Texture("checker", BLUE, SKY, 0.03)
    x, z = 0.14, 0.06
    posts = [
        Part(rod(_THIN_M, 0.34), frame, (x + dx, dy, z))
        for dx in (-0.11, 0.11)
        for dy in (-0.13, 0.13)
    ]
    bars = [
        Part(rod(_THIN_M, 0.26), frame, (x + dx, 0, z + dz), turn("x", 90))
        for dx in (-0.11, 0.11)
        for dz in (-0.05, 0.05, 0.17)
    ]
    roof = [
        Part(box((0.27, 0.012, 0.012)), frame, (x, y, z + 0.18))
        for y in np.linspace(-0.14, 0.14, 9)
    ]
    inside = [
        Part(box((0.10, 0.14, 0.04), 0.01), seat, (x, 0, -0.10)),
        Part(box((0.03, 0.14, 0.14), 0.01), seat, (x - 0.06, 0, -0.02)),
        Part(torus(0.045, 0.006), frame, (x + 0.06, 0, -0.02), turn("y", 60)),
    ]
    return posts + bars + roof + inside


def _crane() -> list[Part]:
    """Make a mast of four rods with braces."""
    steel = Texture("stripes", WHITE, RED, 0.03)
    x, reach, low, high = -0.26, 0.05, -0.04, 0.66
    corners = [(x + dx, dy) for dx in (-reach, reach) for dy in (-reach, reach)]
    length = high - low
    parts = [Part(rod(_THIN_M, length), steel, (*at, (low + high) / 2)) for at in corners]
    step = 2 * reach
    for i in range(int(length / step)):
        # Braces that lean to one side and the other by turns.
        z, lean = low + step * (i + 0.5), 45 if i % 2 else -45
        for side in (-reach, reach):
            tilt, across = turn("y", lean), turn("x", lean)
            parts.append(Part(rod(0.005, 0.13), steel, (x, side, z), tilt))
            parts.append(Part(rod(0.005, 0.13), steel, (x + side, 0, z), across))
    return parts


def _boom() -> list[Part]:
    steel, cable = Texture("stripes", YELLOW, SOOT, 0.04), Texture("noise", SOOT, GREEN, 0.02)
    lie = turn("y", 90)
    parts = [Part(rod(_THIN_M, 0.9), steel, (0.15, y, z), lie) for y, z in _TRIANGLE]
    for i in range(14):
        x, lean = -0.27 + 0.062 * i, 40 if i % 2 else -40
        parts.append(Part(rod(0.005, 0.08), steel, (x, 0, 0.63), turn("y", lean)))
        parts.append(Part(rod(0.005, 0.08), steel, (x, 0, 0.60), turn("x", 90)))
    parts += [Part(rod(0.004, 0.44), cable, (0.55, y, 0.38)) for y in (-0.02, 0.02)]
    return parts


_TRIANGLE = ((-0.04, 0.60), (0.04, 0.60), (0.0, 0.66))


def _bucket() -> list[Part]:
    teeth = Texture("noise", CREAM, SOOT, 0.03)
    parts = [
        Part(bowl(0.13, 0.04, 0.014), Texture("stripes", TEAL, WHITE, 0.025), (0.55, 0, 0.13))
    ]
    for i in range(10):
        angle = 2 * np.pi * i / 10
        place = (0.55 + 0.124 * np.cos(angle), 0.124 * np.sin(angle), 0.19)
        parts.append(Part(box((0.02, 0.02, 0.06), 0.003), teeth, place, turn("z", 36.0 * i)))
    return parts
