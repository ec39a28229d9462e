# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of keyframes, corrected by the surfaces that they show, or by what pictures share."""

from ineus_core.pose_refinement.config import PoseRefinementConfig
from ineus_core.pose_refinement.picture_refiner import PictureRefiner
from ineus_core.pose_refinement.refiner import PoseRefiner

__all__ = ["PictureRefiner", "PoseRefinementConfig", "PoseRefiner"]
