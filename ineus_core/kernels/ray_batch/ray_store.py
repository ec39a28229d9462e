# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The tensors that rays are drawn from, as a kernel takes them."""

from dataclasses import dataclass

from jaxtyping import Float, Int, Int8, Int16, UInt8
from torch import Tensor


@dataclass(frozen=True)
class RayStore:
    """What rays are drawn from; see `keyframes.KeyframeBuffer` and `keyframes.Replay`."""

    rgb: UInt8[Tensor, "slots pixels 3"]
    depth: Int16[Tensor, "slots pixels"]
    world_from_camera: Float[Tensor, "slots 3 4"]
    camera_index: Int[Tensor, " slots"]
    camera_rays: Float[Tensor, "cameras pixels 3"]
    slot_cdf: Float[Tensor, " slots"]
    reservoir: Float[Tensor, "kept 14"]
    reservoir_share: Float[Tensor, ""]
    reservoir_count: Float[Tensor, ""]
    foreground: Int8[Tensor, "slots pixels"] | None = None
    """0 or 1 where it is known whether a pixel shows the object, else -1."""
