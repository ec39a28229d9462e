# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering: where on a ray to look, how opaque an interval is, and what a ray sees."""

from ineus_core.rendering.occupancy import OccupancyConfig, OccupancyGrid
from ineus_core.rendering.placement import PlacementConfig, place_samples
from ineus_core.rendering.view import render_view
from ineus_core.rendering.volume import render_rays

__all__ = [
    "OccupancyConfig",
    "OccupancyGrid",
    "PlacementConfig",
    "place_samples",
    "render_rays",
    "render_view",
]
