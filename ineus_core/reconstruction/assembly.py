# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a reconstruction, and its parts put together by it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.fields import (
    BackgroundConfig,
    FieldConfig,
    HashSdf,
    add_background,
    make_field,
)
from ineus_core.keyframes import (
    KeyframeBuffer,
    KeyframeConfig,
    KeyframeSelector,
    Replay,
    ReplayConfig,
    SelectorConfig,
)
from ineus_core.meshing import DirtyBlocks, MeshingConfig
from ineus_core.planning import PlanningConfig
from ineus_core.reconstruction.completion import CompletionConfig, DepthCompletion
from ineus_core.reconstruction.keyframe_inserter import DepthIntegrator, KeyframeInserter
from ineus_core.reconstruction.scene_bounds import BoundsConfig, SceneBounds, estimate_bounds
from ineus_core.rendering import (
    OccupancyConfig,
    OccupancyGrid,
    RaySamplingConfig,
    RenderingConfig,
    ViewVisibility,
)
from ineus_core.training import Ranks, Step, TrainingConfig, make_step, resolved_training
from ineus_core.types import Camera, Frame


class ReconstructorConfig(ConfigModel):
    """Every part of a reconstruction."""

    renamed: ClassVar = {"placement": "ray_sampling"}

    seed: int = Field(0, ge=0, description="Seed of all random numbers.")
    bounds: BoundsConfig = BoundsConfig()
    selector: SelectorConfig = SelectorConfig()
    keyframes: KeyframeConfig = KeyframeConfig()
    completion: CompletionConfig = CompletionConfig()
    replay: ReplayConfig = ReplayConfig()
    field: FieldConfig = FieldConfig()
    background: BackgroundConfig = BackgroundConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    ray_sampling: RaySamplingConfig = RaySamplingConfig()
    rendering: RenderingConfig = RenderingConfig()
    training: TrainingConfig = TrainingConfig()
    meshing: MeshingConfig = MeshingConfig()
    planning: PlanningConfig = PlanningConfig()


@dataclass(frozen=True)
class Conditions:
    """Under which the parts of a reconstruction work."""

    device: torch.device
    generator: torch.Generator
    """Of the rays."""
    rendering: str
    """Resolved backend."""
    ranks: Ranks | None
    """The processes that train the same field, if there are several."""
    counters: Counter[str]
    """Of what becomes of frames."""


@dataclass(frozen=True)
class Parts:
    """What a reconstruction consists of, besides a field and a grid, once there is a camera."""

    buffer: KeyframeBuffer
    replay: Replay
    train_step: Step
    inserter: KeyframeInserter
    visibility: ViewVisibility


def estimate_scene(
    config: ReconstructorConfig,
    frames: Sequence[Frame],
    poses: Sequence[Float[np.ndarray, "4 4"]],
    points: Float[np.ndarray, "n 3"] | None,
) -> SceneBounds:
    """Where the scene lies and how fine it is.

    Args:
        poses: Of all frames that will come, where they are known.
        points: On surfaces, where some are known. An object before a background of its own is
            boxed without them.
    """
    is_alone = config.field.init == "object" or config.background.kind == "learned"
    return estimate_bounds(frames, poses, config.bounds, None if is_alone else points)


def with_training_for(
    config: ReconstructorConfig, field: HashSdf, device: torch.device
) -> ReconstructorConfig:
    """The configuration with what training leaves to device and scene filled in."""
    training = resolved_training(config.training, device, field.init)
    return config.model_copy(update={"training": training})


def first_field_and_grid(
    config: ReconstructorConfig,
    bounds: SceneBounds,
    given: tuple[HashSdf, Float[np.ndarray, "2 3"]] | None,
    device: torch.device,
) -> tuple[HashSdf, OccupancyGrid]:
    """A field over a scene, and a grid of which nothing has been seen.

    Args:
        config: With the size of the voxels resolved.
        given: A field that is trained already, and its box, to begin with; else a new one is made.
    """
    voxel_m = config.meshing.voxel_size_m
    init, aabb = (
        bounds.scene_kind if config.field.init == "auto" else config.field.init,
        bounds.aabb,
    )
    if given is not None:
        field, given_box = given
        init, aabb = field.init, aabb if field.init == "depth" else given_box
    else:
        field = make_field(config.field, init, aabb, voxel_m, device)
        if config.background.kind == "learned":
            add_background(field, config.background)
    side_m = float((aabb[1] - aabb[0]).max())
    cell_m = config.occupancy.cell_m or (2 * voxel_m if init == "depth" else side_m / 128)
    box = torch.as_tensor(aabb, dtype=torch.float32)
    return field, OccupancyGrid(config.occupancy, cell_m, box, device)


def assemble(
    config: ReconstructorConfig,
    field: HashSdf,
    grid: OccupancyGrid,
    dirty: DirtyBlocks,
    camera: Camera,
    knows_foreground: bool,
    given: Conditions,
) -> Parts:
    """Put together what trains a field and takes in frames.

    Args:
        config: With the sizes that the first frames decide, and `with_training_for` the field.
        dirty: Learns which blocks have new returns.
        camera: Of the first frame.
        knows_foreground: Frames say which pixels show the object.
    """
    has_foreground = knows_foreground and config.training.reads_foreground
    buffer = KeyframeBuffer(config.keyframes, camera, given.device, has_foreground)
    replay = Replay(config.replay, buffer, given.generator)
    step = make_step(
        config.training,
        config.ray_sampling,
        field,
        grid,
        replay,
        given.generator,
        given.rendering,
        given.ranks,
    )
    band_m = config.ray_sampling.truncation_m
    reach_m = 0.5 * config.meshing.voxel_size_m
    observer = DepthIntegrator(config.keyframes, band_m, reach_m, grid, dirty, given.device)
    selector = KeyframeSelector(config.selector)
    believed_m = config.keyframes.min_depth_m, config.keyframes.max_depth_m
    completion = DepthCompletion(config.completion, believed_m)
    inserter = KeyframeInserter(
        selector,
        config.bounds,
        field,
        grid,
        buffer,
        replay,
        observer,
        completion,
        given.counters,
    )
    visibility = ViewVisibility(
        field.sdf, grid, replay.draw, config.occupancy.visibility_rays, given.device
    )
    return Parts(buffer, replay, step, inserter, visibility)
