# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion: what keyframes with known poses show of each other's surfaces."""

from ineus_core.stereo.config import PHOTOGRAPH_PX, PHOTOGRAPHS, StereoConfig
from ineus_core.stereo.depth_from_motion import DepthFromMotion, StereoDepth
from ineus_core.stereo.plain_walls import PlainWalls
from ineus_core.stereo.warming import visit_all

__all__ = [
    "PHOTOGRAPHS",
    "PHOTOGRAPH_PX",
    "DepthFromMotion",
    "PlainWalls",
    "StereoConfig",
    "StereoDepth",
    "visit_all",
]
