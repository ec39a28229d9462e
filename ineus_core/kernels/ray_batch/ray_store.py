# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The tensors that rays are drawn from, as a kernel takes them."""

from dataclasses import dataclass

from jaxtyping import Float, Int, Int8, Int16, UInt8
from torch import Tensor

ORIGIN, DIRECTION, RGB, NORMAL, RANGE, USE = 0, 3, 6, 9, 12, 13
"""First columns of a ray of the reservoir; the vectors have three each."""
RESERVOIR_COLUMNS = 14
UNUSABLE, UNKNOWN_FOREGROUND, KNOWN_FOREGROUND = 0.0, 1.0, 2.0
"""What a ray of the reservoir is good for; to the last the share of the object is added."""
WHOLE = 127
"""Stored foreground of a pixel that shows nothing but the object, and confidence of 1."""


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
    """0 to `WHOLE` where it is known how much of a pixel shows the object, else -1."""
    confidence: Int8[Tensor, "slots pixels"] | None = None
    """0 to `WHOLE`: the chance that the depth is right; None where no depth is estimated."""
