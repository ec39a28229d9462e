# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames, configurations and fields that are small enough for a test."""

from typing import Any

import numpy as np
import torch

from ineus_core.fields import FieldConfig, HashSdf, make_field
from ineus_core.fields.sdf import Initialisation
from ineus_core.reconstruction import ReconstructorConfig
from ineus_core.sources import ReadOptions, SyntheticConfig, SyntheticSource
from ineus_core.types import Camera, Frame

CAMERA = Camera(40, 30, 30.0, 30.0, 20.0, 15.0)
CPU = torch.device("cpu")


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw_deg: float = 0.0) -> np.ndarray:
    """Return a camera that looks along z, turned about its y."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    matrix = np.eye(4)
    matrix[:3, :3] = ((c, 0, s), (0, 1, 0), (-s, 0, c))
    matrix[:3, 3] = (x, y, z)
    return matrix


def wall_frame(
    index: int = 0,
    depth_m: float | None = 2.0,
    world_from_camera: np.ndarray | None = None,
    camera: Camera = CAMERA,
    **parts: Any,
) -> Frame:
    """Return a wall straight ahead; red tells the column and green tells the row."""
    size = (camera.height_px, camera.width_px)
    rgb = np.zeros((*size, 3), dtype=np.uint8)
    rgb[..., 0] = np.arange(size[1]) * 255 // size[1]
    rgb[..., 1] = (np.arange(size[0]) * 255 // size[0])[:, None]
    depth = None if depth_m is None else np.full(size, depth_m, dtype=np.float32)
    given = {"rgb": rgb, "depth_m": depth, **parts}
    at = pose() if world_from_camera is None else world_from_camera
    return Frame(index * 100_000_000, camera, at, **given)


def room_source(frames: int = 6, **settings: Any) -> SyntheticSource:
    """Return the built-in room at 80 x 60."""
    config = SyntheticConfig(frames=frames, width_px=80, height_px=60, **settings)
    return SyntheticSource(config, ReadOptions())


def tiny_config(**sections: dict[str, Any]) -> ReconstructorConfig:
    """Return the configuration of a reconstruction that takes a step in some milliseconds."""
    given: dict[str, Any] = {
        "field": {"levels": 6, "log2_entries": 14, "hidden": 32, "extent_m": 16.0},
        "keyframes": {"capacity": 8},
        "training": {"rays_per_step": 256, "samples_per_step": 4096},
        # Most tests of frames without depth are of fields that pictures alone shape.
        "stereo": {"enabled": False},
        "meshing": {"voxel_size_m": 0.08, "min_component_triangles": 16},
    }
    for name, values in sections.items():
        given[name] = {**given.get(name, {}), **values} if isinstance(values, dict) else values
    return ReconstructorConfig.model_validate(given)


def tiny_field(init: Initialisation = "object", side_m: float = 2.0, **settings: Any) -> HashSdf:
    """Return a field over a cube around the origin."""
    config = FieldConfig(
        **{"levels": 4, "log2_entries": 12, "hidden": 32, "extent_m": side_m, **settings}
    )
    half = side_m / 2
    aabb = np.array([[-half] * 3, [half] * 3])
    return make_field(config, init, aabb, min(side_m / 32, 0.08), CPU)
