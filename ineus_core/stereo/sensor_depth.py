# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The depth of a sensor as a view holds it, for pictures without depth to be matched with it."""

import numpy as np
import torch
from jaxtyping import Float

from ineus_core.kernels.host_copy import HostCopy, write_to
from ineus_core.stereo.sweep import clear_points
from ineus_core.stereo.view import MeasuredDepth, StereoView

_PIXEL_STEP = 0.01
"""Of the median inverse depth: a sensor then weighs as much as a match with a baseline of a third
of the depth does in a picture of 320 pixels."""


def measured_by_sensor(
    view: StereoView, depth_m: Float[np.ndarray, "H W"]
) -> MeasuredDepth | None:
    """Return the depth of a sensor in the size of a view, as a sweep would have found it.

    Args:
        view: Of the same picture.
        depth_m: Of any size; 0 where there is none.

    Returns:
        None if there is no return.
    """
    level = view.levels[0]
    rows, columns = (
        ((np.arange(small) + 0.5) * large / small).astype(int)
        for small, large in zip(level.grey.shape, depth_m.shape, strict=True)
    )
    # Picked: a mean of depths across an edge would lie in the air.
    picked_m = depth_m[np.ix_(rows, columns)]
    is_return = picked_m > 0
    if not is_return.any():
        return None
    inverse = np.where(is_return, 1 / np.where(is_return, picked_m, 1), 0).astype(np.float32)
    q = torch.empty_like(level.grey)
    write_to(q, inverse)
    q = q * level.usable
    nothing, clear = torch.zeros_like(q), torch.ones_like(q)
    return MeasuredDepth(
        q,
        cost=nothing,
        margin=clear,
        roughness=nothing,
        pixel_step=_PIXEL_STEP * float(np.median(inverse[is_return])),
        sample=HostCopy(clear_points(q, clear, level.plane_xy)),
    )
