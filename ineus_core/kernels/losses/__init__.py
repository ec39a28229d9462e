# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The terms of the loss and their cotangents over the buffers of a captured step.

Only Triton has them (`gpu.py`); their reference is `training.losses` under autograd. Here stand
the columns of what the kernels read and write.
"""

TERMS = (
    "photometric",
    "depth",
    "band",
    "free_space",
    "eikonal",
    "photometric_mse",
    "mask",
    "opaque",
    "sparsity",
)
"""Names of the entries of weights and losses, in the order of the table in `training.losses`."""
(
    PHOTOMETRIC,
    DEPTH,
    BAND,
    FREE_SPACE,
    EIKONAL,
    PHOTOMETRIC_MSE,
    MASK,
    OPAQUE,
    SPARSITY,
) = range(len(TERMS))

COUNTS = 6
"""Over how many rays and samples the terms are means, an entry each:"""
VISIBLE_RAYS, MEASURED_RAYS, BAND_SAMPLES, FREE_SAMPLES, KNOWN_RAYS, USABLE_RAYS = range(COUNTS)
