# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Buffers of a batch of rays as kernels write and read them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

IS_VALID, HAS_DEPTH, IS_BACKGROUND, IS_FOREGROUND = 1, 2, 4, 8
"""Bits of `DrawnRays.kind`; a ray that may not be used has none."""


@dataclass(frozen=True)
class DrawnRays:
    """Buffers of a batch."""

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    seen_directions: Float[Tensor, "rays 3"]
    """What the colour sees of the direction: it, or zero."""
    rgb: Float[Tensor, "rays 3"]
    range_m: Float[Tensor, " rays"]
    normal: Float[Tensor, "rays 3"]
    kind: UInt8[Tensor, " rays"]
    jitter: Float[Tensor, " rays"]
    foreground: Float[Tensor, " rays"]
    """Share of the pixel that shows the object; -1 where nobody knows."""
    depth_weight: Float[Tensor, " rays"] | None = None
    """How much the depth counts, 0 to 1; None if all depth counts as much."""


def drawn_rays(rays: int, device: torch.device, has_confidence: bool = False) -> DrawnRays:
    """Allocate buffers for a batch, without content."""
    wide = [torch.empty((rays, 3), device=device) for _ in range(5)]
    thin = [torch.empty(rays, device=device) for _ in range(3)]
    kind = torch.empty(rays, dtype=torch.uint8, device=device)
    weight = torch.empty(rays, device=device) if has_confidence else None
    return DrawnRays(
        wide[0], wide[1], wide[2], wide[3], thin[0], wide[4], kind, thin[1], thin[2], weight
    )
