# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A whole image of the field or of a meshed surface: colour, depth and normal of a camera."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ineus_core.geometry import pixel_rays
from ineus_core.kernels.compositing import fastest_renderer, render_rays
from ineus_core.kernels.host_copy import to_host
from ineus_core.kernels.image_rays import keep_visible, march_view
from ineus_core.rendering.marching import march_seen
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.rendering.surface_rays import MeshedSurface, cast_rays
from ineus_core.timing import InParts, at_once
from ineus_core.types import Camera, FieldOutput, RenderedImage, RenderedRays

SAMPLES_PER_RAY = 48
_RAYS_AT_ONCE = {"cpu": 4096, "cuda": 1 << 16}
_RAYS_FUSED = 1 << 19
_RAYS_CAST = 1 << 14
_MORE_STEPS_WITHOUT_DEPTH = 8
"""Steps are finer without depth, and a surface that is not sharp yet fills many cells."""
_STEP_OF_SHARPNESS = 0.25
"""Steps of a view without depth, as a share of 1 / inv_s, where training has finer ones."""
_LEAST_OPACITY = 0.5


class Renderable(Protocol):
    """What a view needs of a field."""

    @property
    def inv_s(self) -> Float[Tensor, ""]:
        """Sharpness in 1/m."""
        ...

    def __call__(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> FieldOutput:
        """Return distance, gradient and colour."""
        ...

    # Asked of a field that `is_pointwise`; see `fields.HashSdf`.
    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Return the distance in m."""
        ...

    def along_rays(
        self,
        points: Float[Tensor, "n 3"],
        directions: Float[Tensor, "rays 3"],
        ray_index: Int[Tensor, " n"],
    ) -> FieldOutput:
        """Return distance, gradient and colour of points seen along the rays they lie on."""
        ...


class ImageRenderer:
    """Renders images of one field; remembers the rays of the camera that it was last asked for.

    Args:
        field: What is seen.
        grid: Where to look.
    """

    def __init__(self, field: Renderable, grid: OccupancyGrid) -> None:
        """Know no camera yet."""
        self._field, self._grid = field, grid
        self._rays: tuple[Camera, Tensor] | None = None

    def render(
        self,
        camera: Camera,
        world_from_camera: Float[Tensor, "4 4"],
        background: float = 0.0,
        cos_anneal: float = 1.0,
        surface: MeshedSurface | None = None,
    ) -> RenderedImage:
        """Render every pixel; see `render_in_parts`."""
        return at_once(
            self.render_in_parts(camera, world_from_camera, background, cos_anneal, surface)
        )

    def render_in_parts(
        self,
        camera: Camera,
        world_from_camera: Float[Tensor, "4 4"],
        background: float = 0.0,
        cos_anneal: float = 1.0,
        surface: MeshedSurface | None = None,
    ) -> InParts[RenderedImage]:
        """Render every pixel; one that is less than half opaque has no depth and no normal.

        On a CPU an image takes seconds: between its parts the field may be trained.

        Args:
            background: Brightness of what is behind everything.
            cos_anneal: As the field has been trained so far: see `kernels.compositing`.
            surface: What is seen, on a CPU, if that is not the field alone.
        """
        device = world_from_camera.device
        in_camera = self._rays_of(camera, device)
        directions = in_camera @ world_from_camera[:3, :3].T
        anneal = torch.full((), cos_anneal, device=device)
        render, most = self._rendering_of(surface, anneal, device)
        origin = world_from_camera[:3, 3]
        parts: list[RenderedRays] = []
        for rays in directions.split(most):
            # Between two parts, not after the last: a small view is done at once.
            if parts:
                yield
            parts.append(render(origin, rays))
        rgb, range_m, normal, opacity = (
            torch.cat([getattr(part, name) for part in parts])
            for name in ("rgb", "range_m", "normal", "opacity")
        )
        seen = opacity > _LEAST_OPACITY
        # Divided by the opacity, as what is behind has no range and would draw it nearer.
        depth_m = torch.where(seen, range_m / opacity.clamp(min=1e-6) * in_camera[:, 2], 0.0)
        normal = torch.nn.functional.normalize(normal, dim=1) * seen[:, None]
        rgb = rgb + background * (1.0 - opacity[:, None])
        shape = (camera.height_px, camera.width_px)
        images = (
            (rgb.clamp(0, 1) * 255).round().byte().view(*shape, 3),
            depth_m.float().view(shape),
            normal.view(*shape, 3),
            opacity.view(shape),
        )
        return RenderedImage(*(image.numpy() for image in to_host(*images)))

    def _rendering_of(
        self, surface: MeshedSurface | None, cos_anneal: Float[Tensor, ""], device: torch.device
    ) -> tuple[Callable[[Tensor, Tensor], RenderedRays], int]:
        """Return what renders rays of one origin, and how many at once."""
        if surface is not None:
            return partial(self._cast_rays, surface), _RAYS_CAST
        if _is_fused(self._field):
            render, most = self._render_fused, _RAYS_FUSED
        else:
            render, most = self._render_rays, _RAYS_AT_ONCE.get(device.type, 4096)
        if not self._grid.has_sensor:
            # The memory of a part stays about the same.
            most //= _MORE_STEPS_WITHOUT_DEPTH
        return partial(render, cos_anneal=cos_anneal), most

    def _steps(self) -> tuple[float, int]:
        """Return the length of a step in m, and how many of them a ray may take in seen cells."""
        grid, field = self._grid, self._field
        if grid.has_sensor:
            return grid.step_m, SAMPLES_PER_RAY
        if getattr(getattr(field, "config", None), "kind", "sdf") == "density":
            return grid.step_m, grid.max_steps
        # What is not sharp yet needs no fine steps: their opacity is exact for any length where
        # the distance changes evenly (NeuS, eq. 13).
        return max(grid.step_m, _STEP_OF_SHARPNESS / float(field.inv_s.detach())), grid.max_steps

    def _rays_of(self, camera: Camera, device: torch.device) -> Float[Tensor, "pixels 3"]:
        if self._rays is None or self._rays[0] != camera:
            rays = torch.from_numpy(pixel_rays(camera).reshape(-1, 3)).to(device)
            # A viewer asks for view after view by the same camera.
            self._rays = (camera, rays)
        return self._rays[1]

    @torch.no_grad()
    def _render_rays(
        self,
        origin: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
        cos_anneal: Float[Tensor, ""],
    ) -> RenderedRays:
        origins = origin.expand(len(directions), 3)
        step_m, per_ray = self._steps()
        samples = march_seen(self._grid, origins, directions, per_ray, step_m)
        t_mid = 0.5 * (samples.t_starts + samples.t_ends)
        # Only real samples cost an evaluation; this is not the captured step.
        used = samples.valid.nonzero()[:, 0]
        ray = samples.ray_index[used]
        points = origins[ray] + directions[ray] * t_mid[used, None]
        some = self._field(points, directions[ray])
        n, device = len(samples.valid), origin.device
        output = FieldOutput(
            sdf=torch.ones(n, device=device).index_copy(0, used, some.sdf),
            gradient=torch.zeros((n, 3), device=device).index_copy(0, used, some.gradient),
            rgb=torch.zeros((n, 3), device=device).index_copy(0, used, some.rgb),
            density=None
            if some.density is None
            else torch.zeros(n, device=device).index_copy(0, used, some.density),
        )
        rendered = render_rays(directions, samples, output, self._field.inv_s, cos_anneal)
        return self._before_background(rendered, origins, directions)

    def _cast_rays(
        self,
        surface: MeshedSurface,
        origin: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
    ) -> RenderedRays:
        rendered = cast_rays(surface, origin, directions)
        return self._before_background(rendered, origin.expand_as(directions), directions)

    @torch.no_grad()
    def _before_background(
        self,
        rendered: RenderedRays,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
    ) -> RenderedRays:
        """Add what is behind everything, where that is learned."""
        behind = getattr(self._field, "background", None)
        if behind is None:
            return rendered
        # Without jitter, as `march_seen`: the same view is to look the same twice.
        middle = torch.full((len(directions),), 0.5, device=directions.device)
        further, _ = behind(origins, directions, self._grid.aabb, middle)
        return replace(rendered, rgb=rendered.rgb + further.rgb * (1 - rendered.opacity[:, None]))

    @torch.no_grad()
    def _render_fused(
        self,
        origin: Float[Tensor, " 3"],
        directions: Float[Tensor, "rays 3"],
        cos_anneal: Float[Tensor, ""],
    ) -> RenderedRays:
        """Render by distances first, so that only what is seen is asked for its colour."""
        grid, field = self._grid, self._field
        inv_s = field.inv_s
        step_m, per_ray = self._steps()
        samples, points = march_view(
            origin, directions, grid.cells_of_view, grid.aabb, step_m, grid.max_steps, per_ray
        )
        samples, points = keep_visible(samples, points, field.sdf(points), inv_s, step_m)
        output = field.along_rays(points, directions, samples.ray_index)
        render = fastest_renderer(origin.device)
        return render(directions, samples, output, inv_s, cos_anneal)


def _is_fused(field: Renderable) -> bool:
    """Tell whether the field has kernels that need no torch around them, and nothing behind it."""
    has_background = getattr(field, "background", None) is not None
    return bool(getattr(field, "is_pointwise", False)) and not has_background
