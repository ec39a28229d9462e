# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The two small networks behind the hash grid: SDF head and colour head.

Called here in plain torch. In Triton (`gpu.py`) they run over buffers, by way of `fused_field`.
"""

from ineus_core.kernels.mlp.reference import (
    SH_CHANNELS,
    SOFTPLUS_BETA,
    ColourHeadWeights,
    FieldWeights,
    SdfHeadWeights,
    colour_head,
    colour_logits,
    sdf_head,
    sdf_head_value,
    spherical_harmonics,
)

__all__ = [
    "SH_CHANNELS",
    "SOFTPLUS_BETA",
    "ColourHeadWeights",
    "FieldWeights",
    "SdfHeadWeights",
    "colour_head",
    "colour_logits",
    "sdf_head",
    "sdf_head_value",
    "spherical_harmonics",
]
