# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: bags, data set folders and built-in scenes, opened by `open_source`."""

from ineus_core.sources.adjustment import (
    NAMED_AXES,
    AdjustedSource,
    Adjustment,
    PoseReadingConfig,
    body_from_optical,
)
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.file import BagFile, BagTopic
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.sources.bags.topics import NO_DEPTH, find_images
from ineus_core.sources.camera_paths import (
    arc_poses,
    circle_poses,
    orbit_poses,
    round_poses,
    spiral_poses,
)
from ineus_core.sources.depth_registration import own_depth_camera, register_depth
from ineus_core.sources.photographs import (
    PhotoSet,
    StructureFromMotionConfig,
    moved_pose,
    reconstruct_poses,
    similarity_scale,
)
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.reading import CanReadAhead, Run, decoder_threads, read_ahead
from ineus_core.sources.registry import (
    SourceConfig,
    open_source,
    register_source,
    source_kind,
    source_kinds,
)
from ineus_core.sources.sequences import ImageSequence, NamedPose, read_camera, read_poses
from ineus_core.sources.source import (
    HasDatasetFrame,
    HasDescription,
    HasPoints,
    HasPoses,
    HasPosesBetween,
    HasRandomAccess,
    HasReferenceMesh,
    Source,
    dataset_from_world,
    frame_count,
    is_held_out,
    known_points,
    known_poses,
    reference_mesh,
    source_description,
)
from ineus_core.sources.synthetic import SCENES, SyntheticConfig, SyntheticSource

__all__ = [
    "NAMED_AXES",
    "NO_DEPTH",
    "SCENES",
    "AdjustedSource",
    "Adjustment",
    "BagFile",
    "BagTopic",
    "CanReadAhead",
    "HasDatasetFrame",
    "HasDescription",
    "HasPoints",
    "HasPoses",
    "HasPosesBetween",
    "HasRandomAccess",
    "HasReferenceMesh",
    "ImageSequence",
    "NamedPose",
    "PhotoSet",
    "PoseReadingConfig",
    "ReadOptions",
    "RosbagConfig",
    "RosbagSource",
    "Run",
    "Source",
    "SourceConfig",
    "StructureFromMotionConfig",
    "SyntheticConfig",
    "SyntheticSource",
    "arc_poses",
    "body_from_optical",
    "circle_poses",
    "dataset_from_world",
    "decoder_threads",
    "find_images",
    "frame_count",
    "is_held_out",
    "known_points",
    "known_poses",
    "moved_pose",
    "open_source",
    "orbit_poses",
    "own_depth_camera",
    "read_ahead",
    "read_camera",
    "read_poses",
    "reconstruct_poses",
    "reference_mesh",
    "register_depth",
    "register_source",
    "round_poses",
    "similarity_scale",
    "source_description",
    "source_kind",
    "source_kinds",
    "spiral_poses",
]
