# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of a picture from others with known poses, in plain torch."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ineus_core.geometry import pixel_rays
from ineus_core.types import Camera

CENSUS_PX = 3
"""Reach of the census to each side of a pixel."""
CENSUS = tuple((dy, dx) for dy in (-3, -1, 1, 3) for dx in (-3, -1, 1, 3))
"""The pixels around one that it is compared with; all 48 within reach find no more."""
UNSEEN_COST = 0.5
"""Cost of a plane on which no source sees the pixel."""
NEAREST_Z = 1e-3
"""Least depth before a source that it sees, as a share of the depth before the reference."""
BORDER = 1.001
"""A pixel is looked up between two others, so just short of the last row and column."""
_SPARE = 1.2
"""Beyond the corners of a picture, squared distances from the axis of so much are still met."""
APART = 3
"""Planes nearer to the best one than this belong to the same minimum."""


@dataclass(frozen=True)
class SourceView:
    """A picture that another one is compared with."""

    grey: Float[Tensor, "h w"]
    """0 to 255."""
    usable: Float[Tensor, "h w"]
    """1 where a pixel may be compared, else 0."""
    camera: Camera
    source_from_reference: Float[np.ndarray, "3 4"]
    """On the host, as kernels take it as numbers."""


@dataclass(frozen=True)
class Planes:
    """Evenly spaced planes of inverse depth, as offsets from a base."""

    first: float
    """1/m."""
    step: float
    """1/m."""
    count: int

    def offsets(self, device: torch.device) -> Float[Tensor, " planes"]:
        """Return the offsets of all planes."""
        return self.first + self.step * torch.arange(self.count, device=device)


@dataclass(frozen=True)
class SourceDepth:
    """What has been found in another view."""

    inverse_depth: Float[Tensor, "h w"]
    """1/m; 0 where there is none."""
    camera: Camera
    source_from_reference: Float[np.ndarray, "3 4"]
    tolerance: float
    """Difference of inverse depth that its errors explain, 1/m."""
    weight: float
    """Of its inverse depth beside that of the reference: inverse ratio of their variances."""


@dataclass(frozen=True)
class BestPlane:
    """The plane of least cost of each pixel."""

    index: Float[Tensor, "h w"]
    """With fraction."""
    cost: Float[Tensor, "h w"]
    margin: Float[Tensor, "h w"]
    """How much more the best of the planes costs that belong to another minimum."""


@dataclass(frozen=True)
class Agreement:
    """What other views say of the inverse depth of a view."""

    agreeing: Float[Tensor, "h w"]
    """How many find the same."""
    seen: Float[Tensor, "h w"]
    """How many find anything where they see it."""
    against: Float[Tensor, "h w"]
    """How many see through it to something farther."""
    inverse_depth: Float[Tensor, "h w"]
    """Mean of those that find the same, this one included, each by what it tells along the ray."""
    spread: Float[Tensor, "h w"]
    """Mean difference of those that find the same, as a share."""


@dataclass(frozen=True)
class _Pixels:
    u: Float[Tensor, "*shape"]
    """From 0 at the centre of the first pixel, kept within the picture."""
    v: Float[Tensor, "*shape"]
    z: Float[Tensor, "*shape"]
    """Depth before the source, as a share of that before the reference."""
    inside: Bool[Tensor, "*shape"]


def matching_cost(
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    base: Float[Tensor, "h w"],
    planes: Planes,
    sources: Sequence[SourceView],
    dead_zone: float,
) -> Float[Tensor, "planes h w"]:
    """Compare a picture with others at planes of inverse depth; see the door."""
    ours = _census(grey[None], dead_zone)
    inverse_depth = base + planes.offsets(base.device)[:, None, None]
    total = torch.zeros_like(inverse_depth)
    seen = torch.zeros_like(inverse_depth)
    for source in sources:
        warped, sees = warp(source, plane_xy, inverse_depth)
        # Two census values, each -1 to 1, differ by up to 2.
        difference = (_census(warped, dead_zone) - ours).abs().mean(dim=0) / 2
        total += difference * sees
        seen += sees
    return torch.where(seen > 0, total / seen.clamp(min=1), UNSEEN_COST)


def _census(grey: Float[Tensor, "n h w"], dead_zone: float) -> Float[Tensor, "pairs n h w"]:
    height, width = grey.shape[1:]
    padded = functional.pad(grey[:, None], (CENSUS_PX,) * 4, mode="replicate")[:, 0]
    around = torch.stack(
        [padded[:, CENSUS_PX + dy :, CENSUS_PX + dx :][:, :height, :width] for dy, dx in CENSUS]
    )
    return ((around - grey) / dead_zone).clamp(-1, 1)


def warp(
    source: SourceView, plane_xy: Float[Tensor, "h w 2"], inverse_depth: Float[Tensor, "n h w"]
) -> tuple[Float[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Look a source up where the pixels of the reference are in it, and say which it sees."""
    pixels = _project(source.camera, source.source_from_reference, plane_xy, inverse_depth)
    sees = pixels.inside * source.usable[pixels.v.long(), pixels.u.long()]
    return _bilinear(source.grey, pixels), sees


def _bilinear(image: Float[Tensor, "h w"], pixels: _Pixels) -> Float[Tensor, "*shape"]:
    (a, b), (c, d) = _corners(image, pixels)
    fu, fv = pixels.u - pixels.u.floor(), pixels.v - pixels.v.floor()
    upper, lower = a + fu * (b - a), c + fu * (d - c)
    return upper + fv * (lower - upper)


def _corners(image: Float[Tensor, "h w"], pixels: _Pixels) -> list[list[Tensor]]:
    left, top = pixels.u.long(), pixels.v.long()
    return [[image[top + down, left + right] for right in (0, 1)] for down in (0, 1)]


def _project(
    camera: Camera,
    source_from_reference: Float[np.ndarray, "3 4"],
    plane_xy: Float[Tensor, "h w 2"],
    inverse_depth: Float[Tensor, "*n h w"],
) -> _Pixels:
    """Pixels of a source that those of the reference are in, at their inverse depths."""
    rotation = torch.from_numpy(source_from_reference[:, :3]).to(plane_xy)
    translation = source_from_reference[:, 3].tolist()
    rays = functional.pad(plane_xy, (0, 1), value=1.0) @ rotation.T
    x, y, z = (rays[..., i] + inverse_depth * translation[i] for i in range(3))
    in_front = z > NEAREST_Z
    # All are divided by it, also those that are not seen.
    z = z.clamp(min=NEAREST_Z)
    x, y = x / z, y / z
    in_front &= x * x + y * y <= coefficients_of(camera)[4]
    # What lies outside would overflow in the powers of the lens.
    x, y = torch.where(in_front, x, 0.0), torch.where(in_front, y, 0.0)
    bent_x, bent_y = _bend(camera, x, y)
    u, v = camera.fx * bent_x + camera.cx - 0.5, camera.fy * bent_y + camera.cy - 0.5
    width, height = camera.width_px, camera.height_px
    inside = in_front & (u > -0.5) & (v > -0.5) & (u < width - 0.5) & (v < height - 0.5)
    return _Pixels(u.clamp(0, width - BORDER), v.clamp(0, height - BORDER), z, inside)


def _bend(camera: Camera, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Distort coordinates on the plane z = 1 (models of OpenCV's calib3d)."""
    _, is_equidistant, k, is_bent, _ = coefficients_of(camera)
    if not is_bent:
        return x, y
    r2 = x * x + y * y
    if is_equidistant:
        r = r2.sqrt().clamp(min=1e-9)
        angle = r.atan()
        a2 = angle * angle
        scale = angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3])))) / r
        return x * scale, y * scale
    radial = (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))) / (
        1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]))
    )
    bent_x = x * radial + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x) + r2 * (k[8] + r2 * k[9])
    bent_y = y * radial + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y + r2 * (k[10] + r2 * k[11])
    return bent_x, bent_y


@functools.lru_cache(maxsize=32)
def coefficients_of(
    camera: Camera,
) -> tuple[Float[np.ndarray, " 4"], bool, Float[np.ndarray, " 12"], bool, float]:
    """Return what projection takes; arrays are not to be written to.

    Returns:
        fx fy cx cy, whether the lens is equidistant, its coefficients, whether it bends at all,
        and the squared distance from the axis at z = 1 up to which its polynomials hold.

    Raises:
        ValueError: The sensor is tilted.
    """
    if any(camera.distortion[12:]):
        raise ValueError(f"camera of a tilted sensor {camera.distortion[12:]}: expected none")
    k = np.zeros(12, np.float32)
    given = camera.distortion[:12]
    k[: len(given)] = given
    is_equidistant = camera.distortion_model == "equidistant"
    is_bent = is_equidistant or bool(k.any())
    pinhole = np.array((camera.fx, camera.fy, camera.cx, camera.cy), np.float32)
    widest = 1e30
    if is_bent and not is_equidistant:
        rays = pixel_rays(camera).astype(np.float64)
        widest = _SPARE * float(((rays[..., :2] / rays[..., 2:]) ** 2).sum(axis=-1).max())
    return pinhole, is_equidistant, k, is_bent, widest


def filtered_cost(
    costs: Float[Tensor, "planes h w"], guide: Float[Tensor, "h w"], radius_px: int, edge: float
) -> Float[Tensor, "planes h w"]:
    """Smooth each slice by a guided filter; see the door."""
    mean_guide = mean_around(guide[None], radius_px)
    variance = mean_around((guide * guide)[None], radius_px) - mean_guide * mean_guide
    mean = mean_around(costs, radius_px)
    covariance = mean_around(costs * guide, radius_px) - mean * mean_guide
    slope = covariance / (variance.clamp(min=0) + edge * edge)
    level = mean - slope * mean_guide
    return mean_around(slope, radius_px) * guide + mean_around(level, radius_px)


def mean_around(images: Float[Tensor, "n h w"], radius_px: int) -> Float[Tensor, "n h w"]:
    """Return the mean over the square around each pixel, of its part inside the picture."""
    side, given = 2 * radius_px + 1, images[:, None]
    for shape, padding in (((side, 1), (radius_px, 0)), ((1, side), (0, radius_px))):
        given = functional.avg_pool2d(given, shape, 1, padding, count_include_pad=False)
    return given[:, 0]


def reduced(image: Float[Tensor, "h w"], size_px: tuple[int, int]) -> Float[Tensor, "h2 w2"]:
    """Return means over the area of each pixel of a smaller picture; see the door."""
    height, width = (
        _shares(at, to, image.device) for at, to in zip(image.shape, size_px, strict=True)
    )
    return height @ image @ width.T


@functools.lru_cache(maxsize=64)
def _shares(length: int, reduced_to: int, device: torch.device) -> Float[Tensor, "to length"]:
    """Share of each pixel of a row in each of a shorter one."""
    edges = np.arange(reduced_to + 1) * length / reduced_to
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.maximum(overlap, 0) * reduced_to / length
    return torch.from_numpy(shares.astype(np.float32)).to(device)


def best_plane(costs: Float[Tensor, "planes h w"]) -> BestPlane:
    """Pick the plane of least cost at each pixel; see the door."""
    # The first of equal costs, as `min` and the kernels take it.
    planes = len(costs)
    cost, best = costs.min(dim=0)
    before = costs.gather(0, (best - 1).clamp(min=0)[None])[0]
    after = costs.gather(0, (best + 1).clamp(max=planes - 1)[None])[0]
    bend = before + after - 2 * cost
    has_vertex = (best > 0) & (best < planes - 1) & (bend > 1e-12)
    shift = torch.where(has_vertex, 0.5 * (before - after) / bend.clamp(min=1e-12), 0.0)
    each = torch.arange(planes, device=costs.device)[:, None, None]
    elsewhere = torch.where((each - best).abs() >= APART, costs, torch.inf)
    return BestPlane(best + shift, cost, elsewhere.amin(dim=0) - cost)


def median_of_25(image: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return the median of the square around each pixel; see the door."""
    padded = functional.pad(image[None, None], (2, 2, 2, 2), mode="replicate")
    return functional.unfold(padded, 5)[0].median(dim=0).values.view(image.shape)


def agreement(
    inverse_depth: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    others: Sequence[SourceDepth],
    least: float,
    most: float,
) -> Agreement:
    """Compare the inverse depth of a view with what others have found; see the door."""
    q = inverse_depth
    agreeing, seen, against, difference = (torch.zeros_like(q) for _ in range(4))
    total, weights = q.clone(), torch.ones_like(q)
    for other in others:
        pose = other.source_from_reference
        pixels = _project(other.camera, pose, plane_xy, q)
        found, is_found = _found(other.inverse_depth, pixels, most)
        expected = q / pixels.z
        # Within shares of the depth that hold whatever the baselines are.
        tolerated = (other.tolerance / expected.clamp(min=1e-12)).clamp(least, most) * expected
        known = pixels.inside & is_found & (q > 0)
        agrees = known & ((found - expected).abs() <= tolerated)
        # The inverse depth along the same ray at which the other view would find what it did.
        forward = float(pose[2, 3])
        turned = pixels.z - q * forward
        theirs = found * turned / (1 - found * forward)
        # How much they change with ours: one that sees the place from afar tells little of it.
        slope = turned / (pixels.z * pixels.z)
        weight = torch.where(agrees, other.weight * slope * slope, 0.0)
        agreeing += agrees
        seen += known
        against += known & (found < expected - tolerated)
        # Where nothing is found theirs may be infinite.
        total += weight * torch.where(agrees, theirs, 0.0)
        weights += weight
        difference += torch.where(agrees, (theirs - q).abs(), 0.0)
    spread = difference / (agreeing.clamp(min=1) * q.clamp(min=1e-12))
    return Agreement(agreeing, seen, against, total / weights, spread)


def _found(
    image: Float[Tensor, "h w"], pixels: _Pixels, most: float
) -> tuple[Float[Tensor, "h w"], Bool[Tensor, "h w"]]:
    """Inverse depth of another view between its pixels, at edges that of the nearest one."""
    (a, b), (c, d) = _corners(image, pixels)
    low = torch.minimum(torch.minimum(a, b), torch.minimum(c, d))
    high = torch.maximum(torch.maximum(a, b), torch.maximum(c, d))
    fu, fv = pixels.u - pixels.u.floor(), pixels.v - pixels.v.floor()
    nearest = torch.where(fv < 0.5, torch.where(fu < 0.5, a, b), torch.where(fu < 0.5, c, d))
    # Interpolated across an edge it would be a depth between the two, which is nowhere.
    is_smooth = (low > 0) & (high - low <= 2 * most * high)
    found = torch.where(is_smooth, _bilinear(image, pixels), nearest)
    return found, found > 0
