# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Encoding of points by sines and cosines (NeRF, eq. 4), with its spatial Jacobian."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def frequency(
    points_signed: Float[Tensor, "n 3"], octaves: int
) -> tuple[Float[Tensor, "n channels"], Float[Tensor, "n channels 3"]]:
    """Sines of all axes, then cosines, octave after octave; Jacobian per coordinate given."""
    scale = 2.0 ** torch.arange(octaves, device=points_signed.device, dtype=points_signed.dtype)
    angle = points_signed[:, None, :] * scale[:, None]
    sine, cosine = torch.sin(angle), torch.cos(angle)
    features = torch.stack((sine, cosine), dim=2)
    slopes = torch.stack((cosine, -sine), dim=2) * scale[:, None, None]
    # A channel changes along its own axis alone.
    jacobian = torch.diag_embed(slopes)
    n, channels = len(points_signed), 6 * octaves
    return features.view(n, channels), jacobian.reshape(n, channels, 3)


def octave_weights(step: int, steps: int, octaves: int) -> list[float]:
    """Weight of each octave, which rises from 0 to 1 by a cosine, one after the other."""
    if steps == 0:
        return [1.0] * octaves
    seen = octaves * step / steps
    shares = (min(max(seen - octave, 0.0), 1.0) for octave in range(octaves))
    return [0.5 - 0.5 * math.cos(math.pi * share) for share in shares]
