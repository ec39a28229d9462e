# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A whole image of the field: colour, depth and normal as a camera would see them."""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.geometry import pixel_rays
from ineus_core.rendering.occupancy import OccupancyGrid
from ineus_core.rendering.volume import render_rays
from ineus_core.types import Camera, FieldOutput, RenderedImage, RenderedRays

SAMPLES_PER_RAY = 48
_SAMPLES_WITHOUT_DEPTH = 256
"""Steps are finer without depth, and more cells are occupied."""
_RAYS_AT_ONCE = {"cpu": 4096, "cuda": 1 << 16}
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
        """Distance, gradient and colour."""
        ...


@torch.no_grad()
def render_view(
    field: Renderable,
    grid: OccupancyGrid,
    camera: Camera,
    world_from_camera: Float[Tensor, "4 4"],
    background: float = 0.0,
) -> RenderedImage:
    """Render every pixel of a camera; one less than half opaque has no depth and no normal."""
    device = world_from_camera.device
    in_camera = torch.from_numpy(pixel_rays(camera).reshape(-1, 3)).to(device)
    directions = in_camera @ world_from_camera[:3, :3].T
    origins = world_from_camera[:3, 3].expand(len(directions), 3)
    chunk = _RAYS_AT_ONCE.get(device.type, 4096)
    parts = [
        _render_chunk(field, grid, origins[i : i + chunk], directions[i : i + chunk])
        for i in range(0, len(directions), chunk)
    ]
    rgb, range_m, normal, opacity = (
        torch.cat([getattr(part, name) for part in parts])
        for name in ("rgb", "range_m", "normal", "opacity")
    )
    seen = opacity > _LEAST_OPACITY
    depth_m = torch.where(seen, range_m / opacity.clamp(min=1e-6) * in_camera[:, 2], 0.0)
    normal = torch.nn.functional.normalize(normal, dim=1) * seen[:, None]
    rgb = rgb + background * (1.0 - opacity[:, None])
    shape = (camera.height_px, camera.width_px)
    return RenderedImage(
        rgb=(rgb.clamp(0, 1) * 255).round().byte().view(*shape, 3).cpu().numpy(),
        depth_m=depth_m.float().view(shape).cpu().numpy(),
        normal=normal.view(*shape, 3).cpu().numpy(),
        opacity=opacity.view(shape).cpu().numpy(),
    )


def _render_chunk(
    field: Renderable,
    grid: OccupancyGrid,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
) -> RenderedRays:
    samples = grid.march_view(
        origins, directions, SAMPLES_PER_RAY if grid.has_sensor else _SAMPLES_WITHOUT_DEPTH
    )
    t_mid = 0.5 * (samples.t_starts + samples.t_ends)
    # Only real samples cost an evaluation; this is not the captured step.
    used = samples.valid.nonzero()[:, 0]
    ray = samples.ray_index[used]
    points = origins[ray] + directions[ray] * t_mid[used, None]
    some = field(points, directions[ray])
    n, device = len(samples.valid), origins.device
    output = FieldOutput(
        sdf=torch.ones(n, device=device).index_copy(0, used, some.sdf),
        gradient=torch.zeros((n, 3), device=device).index_copy(0, used, some.gradient),
        rgb=torch.zeros((n, 3), device=device).index_copy(0, used, some.rgb),
    )
    exact = torch.ones((), device=device)
    return render_rays(directions, samples, output, field.inv_s, exact)
