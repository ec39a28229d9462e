# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth and normals as colours, for reports, files, videos and topics alike."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

NOTHING = 60
"""Grey of pixels that show no surface, as dark as no depth is drawn."""
# On a flat wall the noise of the sensor would go through all colours, or the span be 0.
_LEAST_SPAN_M = 0.1


def depth_limits_m(*depths_m: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """Return nearest and farthest of nearly all depths, so that pictures can share a scale."""
    measured = np.concatenate([depth_m[depth_m > 0] for depth_m in depths_m])
    if len(measured) == 0:
        return 0.0, 1.0
    # A few returns far out would leave the rest in one colour.
    low_m, high_m = np.quantile(measured, (0.01, 0.99))
    return float(low_m), float(max(high_m, low_m + _LEAST_SPAN_M))


def depth_colours(
    depth_m: Float[np.ndarray, "h w"], low_m: float, high_m: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Show depth as colours: near is red, far is blue, nothing is dark grey."""
    share = ((depth_m - low_m) / (high_m - low_m)).clip(0, 1)
    bgr = cv2.applyColorMap(((1 - share) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    colours = np.ascontiguousarray(bgr[..., ::-1])
    colours[~(depth_m > 0)] = NOTHING
    return colours


def normal_colours(
    normal: Float[np.ndarray, "h w 3"], nothing: int = NOTHING
) -> UInt8[np.ndarray, "h w 3"]:
    """Show normals as colours: -1 to 1 along x, y, z is 0 to 255 in red, green, blue.

    Args:
        nothing: Grey where there is no surface.
    """
    colours = np.round((normal + 1).clip(0, 2) * 127.5).astype(np.uint8)
    colours[~normal.any(axis=-1)] = nothing
    return colours
