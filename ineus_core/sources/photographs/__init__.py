# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Photographs with poses: a file for each layout, one set of settings for all of them."""

from ineus_core.sources.photographs.blended_mvs import BlendedMvsConfig, BlendedMvsSource
from ineus_core.sources.photographs.blender import BlenderConfig, BlenderSource
from ineus_core.sources.photographs.colmap import ColmapConfig, ColmapSource
from ineus_core.sources.photographs.dtu import DtuConfig, DtuSource
from ineus_core.sources.photographs.llff import LlffConfig, LlffSource
from ineus_core.sources.photographs.normalisation import (
    NormalisationConfig,
    moved_pose,
    similarity_scale,
)
from ineus_core.sources.photographs.photo_set import Photo, PhotoSet, PhotoSetConfig
from ineus_core.sources.photographs.sdfstudio import SdfStudioConfig, SdfStudioSource
from ineus_core.sources.photographs.structure_from_motion import (
    StructureFromMotionConfig,
    reconstruct_poses,
)
from ineus_core.sources.photographs.transforms_json import (
    TransformsJsonConfig,
    TransformsJsonSource,
)

__all__ = [
    "BlendedMvsConfig",
    "BlendedMvsSource",
    "BlenderConfig",
    "BlenderSource",
    "ColmapConfig",
    "ColmapSource",
    "DtuConfig",
    "DtuSource",
    "LlffConfig",
    "LlffSource",
    "NormalisationConfig",
    "Photo",
    "PhotoSet",
    "PhotoSetConfig",
    "SdfStudioConfig",
    "SdfStudioSource",
    "StructureFromMotionConfig",
    "TransformsJsonConfig",
    "TransformsJsonSource",
    "moved_pose",
    "reconstruct_poses",
    "similarity_scale",
]
