# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of image files by rising stamp: a file for each layout."""

from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.sources.sequences.posed_images import (
    NamedPose,
    PosedImagesConfig,
    PosedImagesSource,
    read_camera,
    read_poses,
)
from ineus_core.sources.sequences.replica import ReplicaConfig, ReplicaSource
from ineus_core.sources.sequences.seven_scenes import SevenScenesConfig, SevenScenesSource
from ineus_core.sources.sequences.tum import TumConfig, TumSource

__all__ = [
    "DepthCoding",
    "FrameFiles",
    "ImageSequence",
    "NamedPose",
    "PosedImagesConfig",
    "PosedImagesSource",
    "ReplicaConfig",
    "ReplicaSource",
    "SevenScenesConfig",
    "SevenScenesSource",
    "TumConfig",
    "TumSource",
    "read_camera",
    "read_poses",
]
