# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Exact signed distances of simple solids, and solid textures, on points in rows x, y, z."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "3 n"]
Distances = Float[np.ndarray, " n"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """A solid around its own origin, and how far it reaches along each axis."""

    distance: Callable[[np.ndarray], np.ndarray]
    extent_m: tuple[float, float, float]
    convex: bool = True


def sphere(radius_m: float) -> Shape:
    """Make a ball."""
    return Shape(lambda p: _length(p) - radius_m, (radius_m,) * 3)


def box(size_m: tuple[float, float, float], rounding_m: float = 0.0) -> Shape:
    """Make a box of this outer size with rounded edges."""
    half = np.asarray(size_m) / 2 - rounding_m

    def distance(p: np.ndarray) -> np.ndarray:
        # In the type of the points: a double would make doubles of all that follows.
        return _corner(*(np.abs(p[i]) - p.dtype.type(half[i]) for i in range(3))) - rounding_m

    return Shape(distance, (size_m[0] / 2, size_m[1] / 2, size_m[2] / 2))


def cylinder(radius_m: float, height_m: float, rounding_m: float = 0.0) -> Shape:
    """Make an upright cylinder with rounded rims."""

    def distance(p: np.ndarray) -> np.ndarray:
        side = np.hypot(p[0], p[1]) - (radius_m - rounding_m)
        return _corner(side, np.abs(p[2]) - (height_m / 2 - rounding_m)) - rounding_m

    return Shape(distance, (radius_m, radius_m, height_m / 2))


def rod(radius_m: float, length_m: float) -> Shape:
    """Make an upright rod with round ends; the length is that of its axis."""

    def distance(p: np.ndarray) -> np.ndarray:
        above = p[2] - np.clip(p[2], -length_m / 2, length_m / 2)
        return np.sqrt(p[0] ** 2 + p[1] ** 2 + above**2) - radius_m

    return Shape(distance, (radius_m, radius_m, length_m / 2 + radius_m))


def torus(ring_m: float, tube_m: float) -> Shape:
    """Make a ring around the z axis."""
    reach = ring_m + tube_m

    def distance(p: np.ndarray) -> np.ndarray:
        return np.hypot(np.hypot(p[0], p[1]) - ring_m, p[2]) - tube_m

    return Shape(distance, (reach, reach, tube_m), convex=False)


def box_frame(size_m: tuple[float, float, float], edge_m: float) -> Shape:
    """Make the twelve edges of a box, square bars of width `edge_m`."""
    half, bar = np.asarray(size_m) / 2, edge_m / 2

    def distance(p: np.ndarray) -> np.ndarray:
        a = [np.abs(p[i]) - p.dtype.type(half[i]) for i in range(3)]
        b = [np.abs(side + bar) - bar for side in a]
        along = (
            _corner(a[0], b[1], b[2]),
            _corner(b[0], a[1], b[2]),
            _corner(b[0], b[1], a[2]),
        )
        return np.minimum(np.minimum(along[0], along[1]), along[2])

    return Shape(distance, (size_m[0] / 2, size_m[1] / 2, size_m[2] / 2), convex=False)


def bowl(radius_m: float, rim_m: float, thickness_m: float) -> Shape:
    """Make a spherical shell below the height `rim_m` above the centre of the sphere."""
    rim_radius, half = float(np.sqrt(radius_m**2 - rim_m**2)), thickness_m / 2

    def distance(p: np.ndarray) -> np.ndarray:
        side = np.hypot(p[0], p[1])
        past_rim = rim_m * side < rim_radius * p[2]
        to_rim = np.hypot(side - rim_radius, p[2] - rim_m)
        return np.where(past_rim, to_rim, np.abs(np.hypot(side, p[2]) - radius_m)) - half

    reach = radius_m + half
    return Shape(distance, (reach, reach, reach), convex=False)


def half_space(axis: int, sign: int, at_m: float) -> Shape:
    """Fill all behind an axis-aligned plane: free where `sign * (p[axis] - at_m) > 0`."""
    return Shape(lambda p: sign * (p[axis] - p.dtype.type(at_m)), (np.inf,) * 3)


def wall(axis: int, sign: int, at_m: float, height_m: float) -> Shape:
    """Make the part of a half space below a height."""

    def distance(p: np.ndarray) -> np.ndarray:
        return _corner(sign * (p[axis] - p.dtype.type(at_m)), p[2] - p.dtype.type(height_m))

    return Shape(distance, (np.inf,) * 3)


def _length(p: np.ndarray) -> np.ndarray:
    return np.sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2)


def _corner(*sides: np.ndarray) -> np.ndarray:
    """Return the exact distance of perpendicular half spaces at the distances `sides`."""
    deepest, outside = sides[0], np.maximum(sides[0], 0) ** 2
    for side in sides[1:]:
        deepest = np.maximum(deepest, side)
        outside = outside + np.maximum(side, 0) ** 2
    return np.sqrt(outside) + np.minimum(deepest, 0)


@dataclass(frozen=True)
class Texture:
    """Two colours (0 to 1) mixed by a solid pattern, with a little noise on top."""

    pattern: str
    """`checker`, `stripes` (along x), `planks` (stripes with a grain), `noise`, or `plain`, which
    is the first colour alone."""
    first: Colour
    second: Colour
    scale_m: float
    shift: float = 0.0
    """Moves the pattern, in units of the scale, so that equal shapes need not look alike."""


def texture_colours(
    texture: Texture, points: Points, footprint_m: Distances
) -> Float[np.ndarray, "3 n"]:
    """Return colours at points of the texture's own frame, blurred to a pixel's footprint."""
    if texture.pattern == "plain":
        return np.tile(np.asarray(texture.first, dtype=points.dtype)[:, None], points.shape[1])
    scale = texture.scale_m
    # Keeps faces of boxes, which lie at round numbers, off the planes where the pattern changes.
    u = points / scale + (0.37 + texture.shift)
    grain = _noise(u * (2.0 if texture.pattern == "noise" else 0.9))
    match texture.pattern:
        case "checker":
            mix = _wave(u[0], footprint_m / scale) * _wave(u[1], footprint_m / scale)
            mix = 0.5 + 0.5 * mix * _wave(u[2], footprint_m / scale)
        case "stripes":
            mix = 0.5 + 0.5 * _wave(u[0], footprint_m / scale)
        case "planks":
            stretched = np.stack((u[0] * 6, u[1] * 0.7, u[2] * 6))
            seam = np.abs(np.sin(np.pi * u[0])) < 0.08
            mix = 0.35 + 0.25 * _wave(u[0], footprint_m / scale) + 0.9 * (_noise(stretched) - 0.5)
            mix = np.where(seam, 1.0, mix)
        case "noise":
            mix = 3.0 * (0.6 * grain + 0.4 * _noise(u * 4.3)) - 1.0
        case _:
            raise ValueError(f"unknown pattern {texture.pattern!r}")
    mix = np.clip(mix, 0, 1)
    first, second = (
        np.asarray(c, dtype=points.dtype)[:, None] for c in (texture.first, texture.second)
    )
    return (first + (second - first) * mix) * (0.85 + 0.3 * grain)


def _wave(u: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Return a square wave of period 2 whose edges are as wide as the footprint."""
    return np.clip(np.sin(np.pi * u) / (np.pi * np.maximum(footprint, 1e-3)), -1, 1)


@cache
def _noise_table(size: int = 32) -> np.ndarray:
    # Always the same numbers: a scene must look alike in each run.
    return np.random.default_rng(7).random((size, size, size), dtype=np.float32)


def _noise(u: np.ndarray) -> np.ndarray:
    """Smooth noise, 0 to 1, that repeats after 32 units."""
    table = _noise_table()
    size = len(table)
    base = np.floor(u)
    f = u - base
    # Level at both ends, so that the cells of the table do not show.
    f = (f * f * (3 - 2 * f)).astype(np.float32)
    low = base.astype(np.int64) % size
    high = (low + 1) % size
    flat, value = table.reshape(-1), np.zeros(u.shape[1], dtype=np.float32)
    for corner in range(8):
        bits = [(corner >> axis) & 1 for axis in range(3)]
        x, y, z = (high[axis] if bits[axis] else low[axis] for axis in range(3))
        weight = np.ones_like(value)
        for axis in range(3):
            weight *= f[axis] if bits[axis] else 1 - f[axis]
        value += weight * flat[(x * size + y) * size + z]
    return value
