# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a reconstruction: that of each of its parts, in one tree."""

from typing import ClassVar

from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.dynamic_objects import DynamicObjectsConfig
from ineus_core.exposure import ExposureConfig
from ineus_core.fields import BackgroundConfig, FieldConfig
from ineus_core.fusion import FusionConfig
from ineus_core.keyframes import DepthConfig, KeyframeConfig, ReplayConfig, SelectorConfig
from ineus_core.meshing import MeshingConfig
from ineus_core.planning import PlanningConfig
from ineus_core.pose_refinement import PoseRefinementConfig
from ineus_core.reconstruction.completion import CompletionConfig
from ineus_core.reconstruction.scene_bounds import BoundsConfig
from ineus_core.rendering import OccupancyConfig, RaySamplingConfig, RenderingConfig
from ineus_core.stereo import StereoConfig
from ineus_core.training import TrainingConfig


class ReconstructorConfig(ConfigModel):
    """Every part of a reconstruction."""

    renamed: ClassVar = {
        "placement": "ray_sampling",
        "bounds.max_depth_m": "depth.max_m",
        "keyframes.min_depth_m": "depth.min_m",
        "keyframes.max_depth_m": "depth.max_m",
    }

    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all random numbers.")
    depth: DepthConfig = DepthConfig()
    bounds: BoundsConfig = BoundsConfig()
    selector: SelectorConfig = SelectorConfig()
    keyframes: KeyframeConfig = KeyframeConfig()
    pose_refinement: PoseRefinementConfig = PoseRefinementConfig()
    dynamic_objects: DynamicObjectsConfig = DynamicObjectsConfig()
    exposure: ExposureConfig = ExposureConfig()
    stereo: StereoConfig = StereoConfig()
    completion: CompletionConfig = CompletionConfig()
    replay: ReplayConfig = ReplayConfig()
    field: FieldConfig = FieldConfig()
    background: BackgroundConfig = BackgroundConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    ray_sampling: RaySamplingConfig = RaySamplingConfig()
    rendering: RenderingConfig = RenderingConfig()
    training: TrainingConfig = TrainingConfig()
    fusion: FusionConfig = FusionConfig()
    meshing: MeshingConfig = MeshingConfig()
    planning: PlanningConfig = PlanningConfig()

    def with_voxels_of(self, voxel_m: float) -> "ReconstructorConfig":
        """Fill in all that depends on the size of the voxels, which a given size overrides."""
        voxel_m = self.meshing.voxel_size_m or voxel_m
        meshing = self.meshing.model_copy(update={"voxel_size_m": voxel_m})
        ray_sampling = self.ray_sampling.resolved(voxel_m)
        return self.model_copy(update={"meshing": meshing, "ray_sampling": ray_sampling})
