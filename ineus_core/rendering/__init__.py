# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering: where on a ray to look, how opaque an interval is, and what a ray sees."""

from ineus_core.rendering.backends import (
    RenderingConfig,
    RenderRays,
    renderer,
    resolved_rendering,
)
from ineus_core.rendering.image_renderer import View, render_view
from ineus_core.rendering.occupancy import OccupancyConfig, OccupancyGrid
from ineus_core.rendering.ray_sampling import PlacementConfig, place_samples
from ineus_core.rendering.vertex_colour import surface_colour
from ineus_core.rendering.visibility import SeenByViews, evidence_of_views, seen_cells
from ineus_core.rendering.volume import render_rays

__all__ = [
    "OccupancyConfig",
    "OccupancyGrid",
    "PlacementConfig",
    "RenderRays",
    "RenderingConfig",
    "SeenByViews",
    "View",
    "evidence_of_views",
    "place_samples",
    "render_rays",
    "render_view",
    "renderer",
    "resolved_rendering",
    "seen_cells",
    "surface_colour",
]
