# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""TSDF fusion: distance and colour that are measured, averaged in sparse blocks of voxels."""

from ineus_core.fusion.field_share import FieldShare
from ineus_core.fusion.volume import FusedVolume, FusionConfig, PosedImage

__all__ = ["FieldShare", "FusedVolume", "FusionConfig", "PosedImage"]
