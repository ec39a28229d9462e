# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of a mesh: what cameras see of a surface, which is more than the colour in one point."""

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.compositing import neus_alpha
from ineus_core.rendering.image_renderer import Renderable

_SAMPLES = 8
_REACH = 4.0
"""In lengths over which the opacity rises: sigmoid(4) is 98 %."""


@torch.no_grad()
def vertex_colours(
    field: Renderable,
    is_blurred: bool,
    knows_views: bool,
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
) -> Float[Tensor, "n 3"]:
    """Return the colour of points on a surface, 0 to 1, seen head-on.

    Where depth has made the surface sharp that is the colour of the field there. Colour alone
    leaves it blurred, and what is trained then is the sum over the blur: its parts may lie far
    beside it. So the field is composited along the normal through each point.

    Args:
        is_blurred: The surface was trained without depth.
        knows_views: Colours were never trained without a direction.
    """
    directions = -normals if knows_views else torch.zeros_like(normals)
    if not is_blurred:
        return field(points, directions).rgb
    inv_s = field.inv_s.detach()
    exact, step_m = torch.ones_like(inv_s), 2.0 * _REACH / _SAMPLES / inv_s
    valid = torch.ones_like(points[:, 0], dtype=torch.bool)
    clear, total = torch.ones_like(points[:, 0]), torch.zeros_like(points[:, 0])
    colour = torch.zeros_like(points)
    # From outside inwards, as a camera comes upon it.
    for index in range(_SAMPLES):
        height_m = _REACH / inv_s - (index + 0.5) * step_m
        output = field(points + height_m * normals, directions)
        unit = torch.nn.functional.normalize(output.gradient, dim=1, eps=1e-6)
        cos_incidence = -(normals * unit).sum(dim=1)
        alpha = neus_alpha(output.sdf, cos_incidence, step_m.expand_as(clear), inv_s, exact, valid)
        colour += (clear * alpha)[:, None] * output.rgb
        total += clear * alpha
        clear = clear * (1.0 - alpha)
    return (colour / total.clamp(min=1e-6)[:, None]).clamp(0.0, 1.0)
