# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Choice of what composites the rays of a training step."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ineus_core.config_model import ConfigModel
from ineus_core.errors import ConfigError, MissingDependencyError
from ineus_core.rendering.volume import render_rays
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

_LOG = logging.getLogger(__name__)
RenderRays = Callable[[Tensor, RaySamples, FieldOutput, Tensor, Tensor], RenderedRays]
"""As `volume.render_rays`."""


class RenderingConfig(ConfigModel):
    """How rays are composited."""

    backend: Literal["auto", "torch", "triton", "nerfacc"] = Field(
        "auto",
        description="Implementation of compositing in training; auto = triton on a GPU where it "
        "is installed, else torch. With field.backend triton, only triton is captured as a graph.",
    )


def resolved_rendering(config: RenderingConfig, device: torch.device) -> str:
    """The backend that `auto` stands for; an error where the one asked for cannot be used."""
    backend: str = config.backend
    if backend == "auto":
        has_triton = device.type == "cuda" and find_spec("triton") is not None
        backend = "triton" if has_triton else "torch"
        _LOG.info("rendering.backend auto: %s", backend)
    if backend == "nerfacc":
        from ineus_core.rendering.nerfacc_backend import nerfacc

        nerfacc()
    if backend == "triton" and find_spec("triton") is None:
        raise MissingDependencyError("triton")
    if backend in ("triton", "nerfacc") and device.type != "cuda":
        raise ConfigError(
            f"rendering.backend {backend} needs a CUDA device, not {device}; expected torch"
        )
    return backend


def renderer(backend: str) -> RenderRays:
    """Compositing by a resolved backend; all give the same results within rounding."""
    match backend:
        case "triton":
            return _render_by_triton
        case "nerfacc":
            from ineus_core.rendering import nerfacc_backend

            return nerfacc_backend.render_rays
    return render_rays


def _render_by_triton(
    directions: Tensor, samples: RaySamples, output: FieldOutput, inv_s: Tensor, cos_anneal: Tensor
) -> RenderedRays:
    from ineus_core.kernels.compositing.gpu import composite

    total = composite(directions, samples, output, inv_s, cos_anneal)
    return RenderedRays(total[:, :3], total[:, 3], total[:, 4:7], total[:, 7])
