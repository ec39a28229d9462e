# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of image files by rising stamp: a file for each layout."""

from ineus_core.sources.sequences.image_sequence import DepthCoding, FrameFiles, ImageSequence
from ineus_core.sources.sequences.polycam import PolycamConfig, PolycamSource
from ineus_core.sources.sequences.posed_images import (
    NamedPose,
    PosedImagesConfig,
    PosedImagesSource,
    read_camera,
    read_poses,
)
from ineus_core.sources.sequences.record3d import Record3DConfig, Record3DSource
from ineus_core.sources.sequences.replica import ReplicaConfig, ReplicaSource
from ineus_core.sources.sequences.rgbd_folder import RgbdFolderConfig, RgbdFolderSource
from ineus_core.sources.sequences.scannet import ScanNetConfig, ScanNetSource
from ineus_core.sources.sequences.seven_scenes import SevenScenesConfig, SevenScenesSource
from ineus_core.sources.sequences.stray_scanner import StrayScannerConfig, StrayScannerSource
from ineus_core.sources.sequences.tum import TumConfig, TumSource

__all__ = [
    "DepthCoding",
    "FrameFiles",
    "ImageSequence",
    "NamedPose",
    "PolycamConfig",
    "PolycamSource",
    "PosedImagesConfig",
    "PosedImagesSource",
    "Record3DConfig",
    "Record3DSource",
    "ReplicaConfig",
    "ReplicaSource",
    "RgbdFolderConfig",
    "RgbdFolderSource",
    "ScanNetConfig",
    "ScanNetSource",
    "SevenScenesConfig",
    "SevenScenesSource",
    "StrayScannerConfig",
    "StrayScannerSource",
    "TumConfig",
    "TumSource",
    "read_camera",
    "read_poses",
]
