# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a view still shows what blocks of voxels hold, in plain numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.kernels.depth_comparison import LOOKS_THROUGH, NEAREST_M, SHOWS
from ineus_core.kernels.depth_fusion import DISTANCE, SIDE, WEIGHT

SURFACE_VOX = 0.5
"""Voxels this near before a surface belong to it."""


@dataclass(frozen=True)
class DepthView:
    """Depth along the axis of a camera without distortion, and from where it was taken."""

    depth_m: Float[np.ndarray, "h w"]
    """0 where there is no return."""
    nearest_m: Float[np.ndarray, "h w"]
    """The least of the returns in and around a pixel; 0 where any of them is missing."""
    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy."""
    camera_from_world: Float[np.ndarray, "4 4"]
    tolerance_m: float
    """By which depth of the same surface may differ close to the camera."""
    tolerance_per_m: float
    """What is added for each square metre of depth: the noise of sensors grows with its square."""


@dataclass(frozen=True)
class EvidenceLimits:
    """Size of the voxels, and how much evidence counts."""

    voxel_m: float
    least: int
    """Evidence at which a voxel is emptied."""
    most: int
    """Its upper bound."""


def forget_contradicted(
    values: Float[np.ndarray, "slots side side side columns"],
    evidence: Int8[np.ndarray, "slots side side side"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    view: DepthView,
    limits: EvidenceLimits,
) -> Bool[np.ndarray, "n side side side"]:
    """Empty what a view speaks against; see the door."""
    within = np.stack(np.meshgrid(*(np.arange(SIDE),) * 3, indexing="ij"), axis=-1)
    points = (SIDE * blocks[:, None, None, None] + within) * limits.voxel_m
    told = _told(points.reshape(-1, 3), view).reshape(points.shape[:-1])
    held = values[slots]
    is_surface = held[..., WEIGHT] > 0
    is_surface &= held[..., DISTANCE] < SURFACE_VOX * limits.voxel_m
    counted = np.minimum(evidence[slots] + told, limits.most)
    is_gone = is_surface & (counted <= limits.least)
    held[is_gone] = 0
    values[slots] = held
    kept = np.where(is_surface, counted, evidence[slots])
    evidence[slots] = np.where(is_gone, 0, kept).astype(np.int8)
    return is_gone


def _told(points: Float[np.ndarray, "n 3"], view: DepthView) -> Int[np.ndarray, " n"]:
    """Return what a view tells of points."""
    height_px, width_px = view.depth_m.shape
    motion = view.camera_from_world
    x, y, z = (points @ motion[:3, :3].T + motion[:3, 3]).T
    is_ahead = z > NEAREST_M
    z = np.where(is_ahead, z, 1.0)
    fx, fy, cx, cy = view.intrinsics
    u, v = fx * x / z + cx, fy * y / z + cy
    inside = is_ahead & (u >= 0) & (v >= 0) & (u < width_px) & (v < height_px)
    row, column = (np.where(inside, at, 0).astype(int) for at in (v, u))
    there_m = view.depth_m[row, column].astype(np.float64)
    nearest_m = view.nearest_m[row, column].astype(np.float64)
    tolerance_m = view.tolerance_m + view.tolerance_per_m * z * z
    shows = inside & (there_m > 0) & (np.abs(there_m - z) <= tolerance_m)
    through = inside & ~shows & (nearest_m > z + tolerance_m)
    return SHOWS * shows + LOOKS_THROUGH * through
