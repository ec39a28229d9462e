# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: bags, data set folders and built-in scenes, opened by `open_source`."""

from ineus_core.sources.bags.file import BagFile, BagTopic
from ineus_core.sources.bags.rosbag import RosbagConfig, RosbagSource
from ineus_core.sources.bags.topics import find_images
from ineus_core.sources.camera_paths import (
    arc_poses,
    circle_poses,
    orbit_poses,
    round_poses,
    spiral_poses,
)
from ineus_core.sources.depth_registration import register_depth
from ineus_core.sources.photographs.normalisation import moved_pose, similarity_scale
from ineus_core.sources.photographs.structure_from_motion import (
    StructureFromMotionConfig,
    reconstruct_poses,
)
from ineus_core.sources.registry import SourceConfig, open_source, source_kind, source_kinds
from ineus_core.sources.sequences.posed_images import NamedPose, read_camera, read_poses
from ineus_core.sources.source import Source, dataset_from_world, is_held_out
from ineus_core.sources.synthetic.source import SyntheticConfig, SyntheticSource

__all__ = [
    "BagFile",
    "BagTopic",
    "NamedPose",
    "RosbagConfig",
    "RosbagSource",
    "Source",
    "SourceConfig",
    "StructureFromMotionConfig",
    "SyntheticConfig",
    "SyntheticSource",
    "arc_poses",
    "circle_poses",
    "dataset_from_world",
    "find_images",
    "is_held_out",
    "moved_pose",
    "open_source",
    "orbit_poses",
    "read_camera",
    "read_poses",
    "reconstruct_poses",
    "register_depth",
    "round_poses",
    "similarity_scale",
    "source_kind",
    "source_kinds",
    "spiral_poses",
]
