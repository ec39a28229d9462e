# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a view of depth still shows what blocks of voxels hold, or looks through it.

Versions: plain numpy, numba in one pass over the voxels.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from ineus_core.kernels.dispatch import HOST, fastest
from ineus_core.kernels.voxel_evidence.reference import DepthView, EvidenceLimits

__all__ = ["DepthView", "EvidenceLimits", "forget_contradicted"]


def forget_contradicted(
    values: Float[np.ndarray, "slots side side side columns"],
    evidence: Int8[np.ndarray, "slots side side side"],
    slots: Int[np.ndarray, " n"],
    blocks: Int[np.ndarray, "n 3"],
    view: DepthView,
    limits: EvidenceLimits,
) -> Bool[np.ndarray, "n side side side"]:
    """Count what a view tells of voxels at or behind a surface; empty those it speaks against.

    The view shows a voxel where its return lies there, within the tolerance, and looks through it
    where all returns around lie farther away than that. Voxels in free space are left as they are.

    Args:
        values: Of all blocks, as `kernels.depth_fusion` has them; changed in place.
        evidence: For each voxel, how many more views have shown it than looked through it.
        slots: Rows of both.
        blocks: Their places.

    Returns:
        Which voxels were emptied.
    """
    return fastest("voxel_evidence", HOST).forget_contradicted(
        values, evidence, slots, blocks, view, limits
    )
