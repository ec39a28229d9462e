# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera meets the surfaces in its depth: the more aslant, the less a return tells."""

import numpy as np
from jaxtyping import Float

from ineus_core.geometry import cached_pixel_rays
from ineus_core.types import Camera

_STRIDE_PX = 2
_STEP = 2
"""Of strides, between the returns that a slope is told by: noise of neighbours would tilt it."""
_LEAST = 0.05


def incidence(
    depth_m: Float[np.ndarray, "h w"], camera: Camera
) -> Float[np.ndarray, "half_h half_w"]:
    """Return the cosine between rays and normals of every second row and column, at least 0.05.

    A surface goes on to the side where the depth changes less. A return in the air between two
    surfaces has none, and so counts for hardly anything.

    Args:
        depth_m: 0 without a return.
    """
    depth_m = depth_m[::_STRIDE_PX, ::_STRIDE_PX]
    rays = cached_pixel_rays(camera, _STRIDE_PX)
    along_u = camera.fx * _slope(depth_m)
    along_v = camera.fy * _slope(depth_m.T).T
    x, y = rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]
    ahead = depth_m + x * along_u + y * along_v
    norm = np.sqrt(along_u**2 + along_v**2 + ahead**2)
    cosine = depth_m * rays[..., 2] / np.maximum(norm, 1e-6)
    return np.clip(cosine, _LEAST, 1.0).astype(np.float32)


def _slope(depth_m: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the change of depth by pixel of the image along rows, the smaller of both sides."""
    width = depth_m.shape[1]
    slope = np.full(depth_m.shape, np.inf, np.float32)
    if width <= _STEP:
        return np.zeros_like(slope)
    ahead = (depth_m[:, _STEP:] - depth_m[:, :-_STEP]) / (_STEP * _STRIDE_PX)
    slope[:, :-_STEP] = ahead
    before = slope[:, _STEP:]
    np.copyto(before, ahead, where=np.abs(ahead) < np.abs(before))
    return slope
