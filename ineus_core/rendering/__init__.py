# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering: where on a ray to look, how opaque an interval is, and what a ray sees."""

from ineus_core.kernels.compositing import RenderRays, render_rays, renderer
from ineus_core.rendering.image_renderer import ImageRenderer
from ineus_core.rendering.marching import march_all
from ineus_core.rendering.occupancy import OccupancyConfig, OccupancyGrid
from ineus_core.rendering.ray_sampling import RaySamplingConfig, sample_rays
from ineus_core.rendering.surface_rays import MeshedSurface
from ineus_core.rendering.vertex_colour import vertex_colours
from ineus_core.rendering.visibility import ViewVisibility, log_odds_of_views, visible_cells
from ineus_core.rendering.volume import RenderingConfig, resolved_rendering

__all__ = [
    "ImageRenderer",
    "MeshedSurface",
    "OccupancyConfig",
    "OccupancyGrid",
    "RaySamplingConfig",
    "RenderRays",
    "RenderingConfig",
    "ViewVisibility",
    "log_odds_of_views",
    "march_all",
    "render_rays",
    "renderer",
    "resolved_rendering",
    "sample_rays",
    "vertex_colours",
    "visible_cells",
]
