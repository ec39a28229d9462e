# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Opacity along rays, that of NeuS or of a density, and compositing by it.

The alpha of NeuS is `neus_alpha`; `_opacity` of `gpu_code.py` is the same in Triton, 1 less it.
Versions of `render_rays`: plain torch, Triton (a warp takes a ray) and nerfacc. A captured step
takes `composite_forward` and `composite_backward` of `gpu.py`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ineus_core.kernels.compositing.reference import (
    accumulate,
    density_alpha,
    neus_alpha,
    render_rays,
    transmittance_weights,
)
from ineus_core.kernels.compositing.rendered_columns import COLUMNS as RENDERED_COLUMNS
from ineus_core.kernels.dispatch import fastest, resolve, version
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

__all__ = [
    "RENDERED_COLUMNS",
    "RenderRays",
    "accumulate",
    "compositing_backend",
    "density_alpha",
    "fastest_renderer",
    "neus_alpha",
    "render_rays",
    "renderer",
    "transmittance_weights",
]

RenderRays = Callable[[Tensor, RaySamples, FieldOutput, Tensor, Tensor], RenderedRays]
"""As `render_rays`."""


def compositing_backend(asked: str, device: torch.device) -> str:
    """Return the backend that `rendering.backend` stands for; see `dispatch.resolve`."""
    return resolve("rendering.backend", asked, "compositing", device)


def renderer(backend: str) -> RenderRays:
    """Return `render_rays` by a backend; all give the same results within rounding.

    Only that of torch takes densities and returns the weights of the samples; the captured step
    has kernels of its own for densities.
    """
    return version("compositing", backend).render_rays


def fastest_renderer(device: torch.device) -> RenderRays:
    """Return `render_rays` by the fastest backend on a device."""
    return fastest("compositing", device).render_rays
