# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""NeuS opacity and compositing along packed rays for NVIDIA GPUs, in Triton: a warp takes a ray.

The results are those of `reference.render_rays`.
"""

from dataclasses import astuple, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.compositing.gpu_code import backward, forward
from ineus_core.kernels.compositing.rendered_columns import (
    COLOUR,
    COLUMNS,
    NORMAL,
    OPACITY,
    RANGE,
)
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

_CHUNK = 64
"""Samples that a warp takes at once."""


@dataclass(frozen=True)
class DensityScales:
    """Scales by which a density follows from what the SDF head puts out, m.

    It is factor * exp(bias - per_m * output), in 1/m.
    """

    bias: float
    per_m: float
    factor: float


_AS_DISTANCE = DensityScales(0.0, 1.0, 1.0)
_RAY_PROGRAMS = 132 * 24
"""Warps that fill a large GPU; each walks over rays, so that sums over rays end in few atomics."""


def render_rays(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
) -> RenderedRays:
    """Composite each ray; differentiable in output and inv_s; see `reference.render_rays`."""
    total = _Composite.apply(
        directions, samples, output.sdf, output.gradient, output.rgb, inv_s, cos_anneal
    )
    return rendered_rays(total)


def rendered_rays(total: Float[Tensor, "rays 8"]) -> RenderedRays:
    """Return the columns of composited rays by name."""
    return RenderedRays(
        total[:, COLOUR:RANGE], total[:, RANGE], total[:, NORMAL:OPACITY], total[:, OPACITY]
    )


def composite_forward(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    rendered: Float[Tensor, "rays 8"],
    density: DensityScales | None = None,
) -> None:
    """Write colour (3), range, normal (3), opacity of each ray; allocates nothing.

    Args:
        density: If given, the field is a density, and sharpness and annealing are not read.
    """
    rays = len(directions)
    if rays == 0:
        return
    forward[(min(rays, _RAY_PROGRAMS),)](
        directions, samples.t_starts, samples.t_ends, samples.first, samples.count,
        output.sdf, output.gradient, output.rgb, inv_s, cos_anneal, rendered, rays,
        *directions.stride(), *output.gradient.stride(), *output.rgb.stride(),
        *astuple(density or _AS_DISTANCE), DENSITY=density is not None, CHUNK=_CHUNK, num_warps=1,
    )  # fmt: skip


def composite_backward(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    rendered: Float[Tensor, "rays 8"],
    d_rendered: Float[Tensor, "rays 8"],
    d_output: FieldOutput,
    d_inv_s: Float[Tensor, ""],
    eikonal_scale: Float[Tensor, ""] | None = None,
    eikonal_sum: Float[Tensor, ""] | None = None,
    density: DensityScales | None = None,
) -> None:
    """Write `d_output`, zero in the padding, and add to `d_inv_s`; allocates nothing.

    Args:
        eikonal_scale: If given, the gradient of this times the sum of (|gradient| - 1)^2 over all
            samples is added.
        eikonal_sum: That sum is added here.
        density: As of `composite_forward`.
    """
    rays, n = len(directions), len(output.sdf)
    if n == 0:
        return
    backward[(max(1, min(rays, _RAY_PROGRAMS)),)](
        directions, samples.t_starts, samples.t_ends, samples.first, samples.count,
        output.sdf, output.gradient, output.rgb, inv_s, cos_anneal, rendered, d_rendered,
        d_output.sdf, d_output.gradient, d_output.rgb, d_inv_s, eikonal_scale, eikonal_sum, rays,
        n,
        *directions.stride(), *output.gradient.stride(), *output.rgb.stride(),
        *d_output.gradient.stride(), *d_output.rgb.stride(), *d_rendered.stride(),
        *astuple(density or _AS_DISTANCE), DENSITY=density is not None, CHUNK=_CHUNK, num_warps=1,
    )  # fmt: skip


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, directions, samples, sdf, gradient, rgb, inv_s, cos_anneal):  # type: ignore[no-untyped-def]
        rendered = directions.new_empty((len(directions), COLUMNS))
        output = FieldOutput(sdf, gradient, rgb)
        composite_forward(directions, samples, output, inv_s, cos_anneal, rendered)
        ctx.save_for_backward(directions, sdf, gradient, rgb, inv_s, cos_anneal, rendered)
        ctx.samples = samples
        return rendered

    @staticmethod
    def backward(ctx, d_rendered):  # type: ignore[no-untyped-def]
        directions, sdf, gradient, rgb, inv_s, cos_anneal, rendered = ctx.saved_tensors
        d_output = FieldOutput(
            # The kernel writes all of them, padding included.
            torch.empty_like(sdf),
            torch.empty_like(gradient),
            torch.empty_like(rgb),
        )
        d_inv_s = torch.zeros_like(inv_s)
        composite_backward(
            directions, ctx.samples, FieldOutput(sdf, gradient, rgb), inv_s, cos_anneal,
            rendered, d_rendered, d_output, d_inv_s,
        )  # fmt: skip
        return None, None, d_output.sdf, d_output.gradient, d_output.rgb, d_inv_s, None
