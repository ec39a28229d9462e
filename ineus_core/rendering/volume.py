# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Volume rendering of the rays of a training step: its configuration, and the backend it means."""

from typing import Literal

import torch
from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.kernels.compositing import compositing_backend


class RenderingConfig(ConfigModel):
    """How rays are composited."""

    backend: Literal["auto", "torch", "triton", "nerfacc"] = Field(
        "auto",
        description="Implementation of compositing in training; auto = triton on a GPU where it "
        "is installed, else torch. With field.backend triton, only triton is captured as a graph.",
    )


def resolved_rendering(config: RenderingConfig, device: torch.device) -> str:
    """Return the backend that `auto` stands for; an error where the one asked for cannot be used.

    Raises:
        ConfigError: It does not run on this device.
        MissingDependencyError: It is not installed.
    """
    return compositing_backend(config.backend, device)
