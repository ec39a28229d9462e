# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Compositing through nerfacc 0.5, where that is installed; results as of the reference."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.kernels.compositing.reference import neus_alpha
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

_VERSION = "0.5."
_MOST_OPAQUE = 1.0 - 1e-6
"""Its product over a ray has no right gradient through a factor of 0."""


def require() -> Any:
    """Return the module; `MissingDependencyError` says how to get it."""
    try:
        import nerfacc as module

        found = version("nerfacc")
    except (ImportError, OSError, PackageNotFoundError) as error:
        raise MissingDependencyError("nerfacc", source="'nerfacc==0.5.*'") from error
    if not found.startswith(_VERSION):
        raise ConfigError(f"rendering.backend nerfacc: found nerfacc {found}, expected 0.5.x")
    if import_module("nerfacc.cuda._backend")._C is None:
        # Its wheel compiles them at the first use; without nvcc that step would be the last.
        raise ConfigError(
            "rendering.backend nerfacc: its CUDA functions could not be compiled; expected nvcc, "
            "or rendering.backend auto"
        )
    return module


def render_rays(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
) -> RenderedRays:
    """Composite colour, range, normal and opacity of each ray; differentiable."""
    module = require()
    # It wants samples sorted by ray, which the padding is not.
    used = samples.valid.nonzero()[:, 0]
    ray = samples.ray_index[used].long()
    t_starts, t_ends = samples.t_starts[used], samples.t_ends[used]
    normal = torch.nn.functional.normalize(output.gradient[used], dim=1, eps=1e-6)
    cos_incidence = (directions[ray] * normal).sum(dim=1)
    dt = t_ends - t_starts
    alpha = neus_alpha(
        output.sdf[used], cos_incidence, dt, inv_s, cos_anneal, samples.valid[used]
    ).clamp(max=_MOST_OPAQUE)
    weights, _ = module.render_weight_from_alpha(alpha, ray_indices=ray, n_rays=len(directions))
    t_mid = (0.5 * (t_starts + t_ends))[:, None]
    values = torch.cat((output.rgb[used], t_mid, normal, torch.ones_like(t_mid)), dim=1)
    total = module.accumulate_along_rays(weights, values, ray_indices=ray, n_rays=len(directions))
    return RenderedRays(total[:, :3], total[:, 3], total[:, 4:7], total[:, 7])
