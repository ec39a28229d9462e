# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""For planners: distances and gradients at points, and slices of free, occupied and unknown."""

from ineus_core.planning.distance import DistanceMap, PlanningConfig
from ineus_core.planning.planner import Planner, PlanningAnswer, PlanningScene
from ineus_core.planning.slices import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    EsdfSlice,
    OccupancySlice,
    occupancy_slice,
    slice_centres,
)

__all__ = [
    "FREE",
    "OCCUPIED",
    "UNKNOWN",
    "DistanceMap",
    "EsdfSlice",
    "OccupancySlice",
    "Planner",
    "PlanningAnswer",
    "PlanningConfig",
    "PlanningScene",
    "occupancy_slice",
    "slice_centres",
]
