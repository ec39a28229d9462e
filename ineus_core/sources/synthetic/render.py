# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sphere tracing of an analytic scene into colour and depth, and the noise of a depth sensor."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ineus_core.geometry import pixel_rays
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.shapes import Shape
from ineus_core.types import Camera

# Above the rounding of single precision, 1e-6 m at 20 m; `_refine` takes off what it leaves.
HIT_M = 2e-5
MARCH_STEPS = 512
# The least base of a slope; see `_march`.
ANCHOR_M = 2e-3


@dataclass(frozen=True)
class RayHits:
    """Where rays first meet the scene."""

    range_m: Float[np.ndarray, " rays"]
    """Infinite where a ray meets nothing."""
    points: Float[np.ndarray, "3 rays"]
    normals: Float[np.ndarray, "3 rays"]
    part_index: Int[np.ndarray, " rays"]

    @property
    def hit(self) -> Bool[np.ndarray, " rays"]:
        """True where a ray meets the scene."""
        return np.isfinite(self.range_m)


def trace(
    scene: AnalyticScene,
    origins: Float[np.ndarray, "3 rays"],
    directions: Float[np.ndarray, "3 rays"],
    far_m: float,
) -> RayHits:
    """Follow rays (unit directions) until they meet the scene."""
    best = np.full(origins.shape[1], far_m, dtype=np.float32)
    part_index = np.full(origins.shape[1], -1, dtype=np.int32)
    o, d = origins.astype(np.float32), directions.astype(np.float32)
    for group in scene.groups:
        entry, leave = _box_interval(
            o - group.centre_m.astype(np.float32)[:, None], d, group.half_m
        )
        rays = np.flatnonzero((entry < leave) & (entry < best))
        if not len(rays):
            continue
        group_o, group_d = np.take(o, rays, axis=1), np.take(d, rays, axis=1)
        for index, part in enumerate(group.parts, start=group.first):
            _trace_part(part, index, group_o, group_d, rays=rays, best=best, part_index=part_index)
    return _refine(scene, origins, directions, best, part_index)


def _refine(
    scene: AnalyticScene,
    origins: np.ndarray,
    directions: np.ndarray,
    range_m: np.ndarray,
    part_index: np.ndarray,
) -> RayHits:
    """Take off what tolerance and single precision left, by a Newton step in double precision."""
    hit = np.flatnonzero(part_index >= 0)
    o, d = (np.take(rows, hit, axis=1).astype(np.float64) for rows in (origins, directions))
    t, index = range_m[hit].astype(np.float64), part_index[hit]
    near = o + t * d
    normals = scene.normals_of(near, index)
    # Along a ray that grazes, the whole distance would be a step far beyond the surface.
    t += scene.distances_of(near, index) / np.maximum(-(normals * d).sum(axis=0), 0.2)
    hits = RayHits(
        np.full(len(range_m), np.inf), np.zeros(origins.shape), np.zeros(origins.shape), part_index
    )
    hits.range_m[hit], hits.points[:, hit], hits.normals[:, hit] = t, o + t * d, normals
    return hits


def _trace_part(
    part: Part,
    index: int,
    origins: np.ndarray,
    directions: np.ndarray,
    *,
    rays: np.ndarray,
    best: np.ndarray,
    part_index: np.ndarray,
) -> None:
    """Shorten `best` where a ray of `rays` meets the part first."""
    o = part.local(origins)
    d = directions if part.rotation is None else part.rotation.T.astype(np.float32) @ directions
    entry, leave = _box_interval(o, d, np.asarray(part.shape.extent_m))
    limit = np.minimum(leave, best[rays])
    chosen = np.flatnonzero(entry < limit)
    if not len(chosen):
        return
    o, d = np.take(o, chosen, axis=1), np.take(d, chosen, axis=1)
    t = _march(part.shape, o, d, entry[chosen], limit[chosen])
    nearer = np.isfinite(t)
    best[rays[chosen[nearer]]] = t[nearer]
    part_index[rays[chosen[nearer]]] = index


def _box_interval(
    origins: np.ndarray, directions: np.ndarray, half_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where rays enter and leave a box around the origin, a little enlarged."""
    entry = np.zeros(origins.shape[1], dtype=np.float32)
    leave = np.full(origins.shape[1], np.inf, dtype=np.float32)
    if np.isinf(half_m).any():
        return entry, leave
    for axis in range(3):
        # No ray is ever exactly parallel to a face, which saves a special case.
        slope = 1 / np.where(np.abs(directions[axis]) < 1e-7, np.float32(1e-7), directions[axis])
        middle = -origins[axis] * slope
        reach = np.float32(half_m[axis] + 1e-4) * np.abs(slope)
        np.maximum(entry, middle - reach, out=entry)
        np.minimum(leave, middle + reach, out=leave)
    return entry, leave


def _march(
    shape: Shape, origins: np.ndarray, directions: np.ndarray, t: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """Find where each ray meets one shape before its limit; infinite where it does not.

    Along a ray the distance to a convex solid is a convex function, so that a secant through two
    earlier points never overshoots and a rising distance means that the ray has passed.
    """
    result = np.full(len(t), np.inf, dtype=np.float32)
    alive = np.arange(len(t))
    anchor_t, anchor_distance = t - 1, np.full(len(t), np.inf, dtype=np.float32)
    for round_ in range(MARCH_STEPS):
        distance = shape.distance(origins + t * directions)
        found = distance < HIT_M
        result[alive[found]] = t[found]
        step = distance
        if shape.convex and round_:
            falling = (anchor_distance - distance) / (t - anchor_t)
            step = np.where(falling > 0.005, distance / np.maximum(falling, 0.005), distance)
            step = np.where(falling < -0.005, np.inf, np.maximum(step, distance))
        kept = np.flatnonzero(~found & (t + step < limit))
        if not len(kept):
            break
        # Over a shorter base the slope drowns in the rounding of single precision.
        moved = (t - anchor_t > ANCHOR_M)[kept]
        alive, limit, t = alive[kept], limit[kept], t[kept]
        anchor_t = np.where(moved, t, anchor_t[kept])
        anchor_distance = np.where(moved, distance[kept], anchor_distance[kept])
        origins, directions = np.take(origins, kept, axis=1), np.take(directions, kept, axis=1)
        t = t + step[kept]
    return result


@dataclass(frozen=True)
class RenderedScene:
    """A view of a scene."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "h w"]
    """Along the optical axis; 0 where the ray meets nothing."""
    cos_incidence: Float[np.ndarray, "h w"]
    """How squarely the ray meets the surface, 0 to 1."""
    opacity: Float[np.ndarray, "h w"]
    """Share of the pixel that shows the scene and not the background."""


def render_scene(
    scene: AnalyticScene,
    camera: Camera,
    world_from_camera: Float[np.ndarray, "4 4"],
    background: UInt8[np.ndarray, " 3"],
    far_m: float,
) -> RenderedScene:
    """Colour and depth at pixel centres; pixels on edges get a colour averaged over their area."""
    rays = pixel_rays(camera).reshape(-1, 3).T.astype(np.float64)
    rays /= np.linalg.norm(rays, axis=0)
    hits = _trace_camera(scene, world_from_camera, rays, far_m)
    world_rays = world_from_camera[:3, :3] @ rays
    rgb = _shade(scene, hits, camera, world_rays, background)
    opacity = hits.hit.astype(np.float32)
    edges = _edges(hits, (camera.height_px, camera.width_px))
    if len(edges):
        rgb[edges], opacity[edges] = _average_over_pixel(
            scene, camera, world_from_camera, rays[:, edges], background=background, far_m=far_m
        )
    size = (camera.height_px, camera.width_px)
    depth_m = np.where(hits.hit, np.where(hits.hit, hits.range_m, 0) * rays[2], 0)
    cos_incidence = np.where(hits.hit, -(hits.normals * world_rays).sum(axis=0), 0)
    return RenderedScene(
        rgb.reshape(*size, 3),
        depth_m.reshape(size).astype(np.float32),
        np.clip(cos_incidence, 0, 1).reshape(size).astype(np.float32),
        opacity.reshape(size),
    )


def _trace_camera(
    scene: AnalyticScene, world_from_camera: np.ndarray, rays: np.ndarray, far_m: float
) -> RayHits:
    origins = np.repeat(world_from_camera[:3, 3:], rays.shape[1], axis=1)
    return trace(scene, origins, world_from_camera[:3, :3] @ rays, far_m)


def _shade(
    scene: AnalyticScene,
    hits: RayHits,
    camera: Camera,
    directions: np.ndarray,
    background: np.ndarray,
) -> np.ndarray:
    rgb = np.tile(background, (len(hits.range_m), 1))
    hit = np.flatnonzero(hits.hit)
    footprint_m = (hits.range_m[hit] / camera.fx).astype(np.float32)
    points, normals = hits.points[:, hit].astype(np.float32), hits.normals[:, hit]
    rgb[hit] = scene.lit_colours(
        points, hits.part_index[hit], normals, footprint_m, directions[:, hit]
    )
    return rgb


def _edges(hits: RayHits, size: tuple[int, int]) -> np.ndarray:
    """Find the pixels beside another part, another face or the background."""
    kind = np.where(hits.hit, hits.part_index, -1).reshape(size)
    normals = hits.normals.T.reshape(*size, 3)
    edge = np.zeros(size, dtype=bool)
    for axis in (0, 1):
        a = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        b = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        # Normals more than 37 degrees apart are those of two faces.
        differs = (kind[a] != kind[b]) | ((normals[a] * normals[b]).sum(axis=-1) < 0.8)
        edge[a] |= differs
        edge[b] |= differs
    return np.flatnonzero(edge)


def _average_over_pixel(
    scene: AnalyticScene,
    camera: Camera,
    world_from_camera: np.ndarray,
    rays: np.ndarray,
    *,
    background: np.ndarray,
    far_m: float,
) -> tuple[np.ndarray, np.ndarray]:
    # Four places of which no two share a row or a column: edges of any direction are smoothed.
    offsets = np.array(((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)))
    plane = (offsets / (camera.fx, camera.fy)).T[:, :, None] + (rays[:2] / rays[2])[:, None]
    moved = np.concatenate((plane.reshape(2, -1), np.ones((1, plane[0].size))))
    moved /= np.linalg.norm(moved, axis=0)
    hits = _trace_camera(scene, world_from_camera, moved, far_m)
    directions = world_from_camera[:3, :3] @ moved
    rgb = _shade(scene, hits, camera, directions, background).reshape(len(offsets), -1, 3)
    opacity = hits.hit.reshape(len(offsets), -1).mean(axis=0)
    return (rgb.mean(axis=0) + 0.5).astype(np.uint8), opacity


def add_depth_noise(
    depth_m: Float[np.ndarray, "h w"],
    cos_incidence: Float[np.ndarray, "h w"],
    scale: float,
    max_range_m: float,
    rng: np.random.Generator,
    spread_px: float = 0.0,
) -> Float[np.ndarray, "h w"]:
    """Spoil depth as a structured-light sensor does: noise by z squared, millimetres, holes.

    At a scale of 1 the noise has the deviation measured for the Kinect (Nguyen et al., 2012).
    Neighbours within `spread_px` share it: windows of pixels are matched, not pixels.
    """
    deviation_m = scale * (0.0012 + 0.0019 * (depth_m - 0.4) ** 2)
    noisy = depth_m + _shared_noise(depth_m.shape, spread_px, rng) * deviation_m
    # Sensors tell whole millimetres.
    noisy = np.round(noisy * 1000) / 1000
    # The more a ray grazes the likelier it has no return: half of them at a cosine of 0.15.
    lost = rng.random(depth_m.shape) > (cos_incidence - 0.05) / 0.20
    valid = (depth_m > 0) & (noisy > 0) & (noisy <= max_range_m) & ~lost
    return np.where(valid, noisy, 0).astype(np.float32)


def patches(
    shape: tuple[int, ...], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """Draw patches that cover a share of a picture."""
    if share == 0:
        return np.zeros(shape, dtype=bool)
    # Some eight across a picture, whatever its size.
    height = _shared_noise(shape, shape[-1] / 64, rng)
    return height < np.quantile(height, share)


def _shared_noise(
    shape: tuple[int, ...], spread_px: float, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Draw noise of deviation 1 that a Gaussian of this sigma has spread over neighbours."""
    noise = rng.normal(size=shape)
    if spread_px == 0:
        return noise
    noise = cv2.GaussianBlur(noise, (0, 0), spread_px)
    return noise / noise.std()
