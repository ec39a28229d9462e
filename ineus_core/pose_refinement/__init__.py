# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of keyframes, corrected so that the surfaces that they show lie on each other."""

from ineus_core.pose_refinement.config import PoseRefinementConfig
from ineus_core.pose_refinement.refiner import PoseRefiner

__all__ = ["PoseRefinementConfig", "PoseRefiner"]
