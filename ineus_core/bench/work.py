# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in work: an object in colour only, and a room in RGB-D, large or small by device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ineus_core.config import load_config
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame


@dataclass(frozen=True)
class Work:
    """A scene, settings, and how long to train before anything is measured."""

    name: str
    scene: SyntheticConfig
    settings: tuple[str, ...]
    warm_up_steps: int
    steps: int
    """Of one measurement."""


_OBJECT = (
    "bounds.aabb=[-1.5,-1.5,-1.5,1.5,1.5,1.5]",
    "field.init=object",
    "training.background=white",
    "training.view_dropout=0",
    "meshing.voxel_size_m=0.01",
)
_SIZES_OF_THE_SEED = (
    "field.levels=16",
    "field.log2_entries=19",
    "training.samples_per_step=262144",
)
_RAYS_OF_CO_SLAM = (
    "training.rays_per_step=2148",
    "ray_sampling.samples_in_free_space=32",
    "ray_sampling.samples_in_band=11",
)
OBJECT_NAME, ROOM_NAME = "object, colour only", "room, RGB-D"


def built_in_work(device: torch.device) -> tuple[Work, Work]:
    """Object and room; on a CPU small enough for seconds."""
    if device.type == "cuda":
        views = SyntheticConfig(
            scene="object", frames=24, width_px=200, height_px=200, depth=False
        )
        walk = SyntheticConfig(frames=10, width_px=640, height_px=480)
        return (
            Work(OBJECT_NAME, views, (*_OBJECT, *_SIZES_OF_THE_SEED), 1000, 200),
            Work(ROOM_NAME, walk, _RAYS_OF_CO_SLAM, 300, 200),
        )
    views = SyntheticConfig(scene="object", frames=12, width_px=80, height_px=80, depth=False)
    walk = SyntheticConfig(frames=8, width_px=160, height_px=120)
    small = ("training.samples_per_step=8192", "training.rays_per_step=256")
    few_rays = ("training.rays_per_step=512", "meshing.voxel_size_m=0.05")
    return (
        Work(OBJECT_NAME, views, (*_OBJECT, *small), 20, 10),
        Work(ROOM_NAME, walk, few_rays, 20, 10),
    )


def prepared(
    work: Work, device: torch.device, overrides: Sequence[str]
) -> tuple[Reconstructor, list[Frame]]:
    """Return a reconstruction of most frames of the scene, and the frames that are left."""
    frames = list(SyntheticSource(work.scene))
    reconstructor = Reconstructor(load_config(None, [*work.settings, *overrides]), device)
    kept = len(frames) // 2 if work.scene.depth else len(frames)
    for frame in frames[:kept]:
        reconstructor.add_frame(frame)
    reconstructor.start()
    for _ in range(work.warm_up_steps):
        reconstructor.step()
    return reconstructor, frames[kept:]
