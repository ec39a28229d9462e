# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Views of the camera beside what is rendered there, as sections of the page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ineus_core.evaluation.colours import depth_colours, depth_limits_m, normal_colours
from ineus_core.types import RenderedImage

_WIDTH_PX = 480
_WORST = 64
"""Difference of colours, of 255, at which the colours of the error map end."""


@dataclass(frozen=True)
class Panel:
    """A view of the camera beside what is rendered there."""

    title: str
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float[np.ndarray, "h w"] | None
    """Measured; 0 where there is no return."""
    rendered: RenderedImage


def views_section(panels: Sequence[Panel]) -> str:
    """Return the section of all views; nothing without any."""
    if not panels:
        return ""
    return f"<section><h2>Camera and render</h2>{''.join(map(_view, panels))}</section>"


def _view(panel: Panel) -> str:
    depths = (panel.rendered.depth_m, panel.depth_m)
    low, high = depth_limits_m(*(depth_m for depth_m in depths if depth_m is not None))
    rendered_depth = depth_colours(panel.rendered.depth_m, low, high)
    scale = f"{low:.1f} m red, {high:.1f} m blue"
    if panel.depth_m is None:
        depth = figure(rendered_depth, f"rendered depth: {scale}")
    else:
        measured = depth_colours(panel.depth_m, low, high)
        depth = _pair(measured, rendered_depth, f"depth, measured and rendered: {scale}")
    cells = (
        _pair(panel.rgb, panel.rendered.rgb, "colour, seen and rendered"),
        figure(
            error_map(panel.rgb, panel.rendered.rgb),
            f"difference of colours: black none, yellow {100 * _WORST // 255} % and more",
        ),
        depth,
        figure(normal_colours(panel.rendered.normal), "rendered normals"),
    )
    return f'<h3>{escape(panel.title)}</h3><div class="views">{"".join(cells)}</div>'


def error_map(
    seen: UInt8[np.ndarray, "h w 3"], rendered: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the mean difference of the three colours of each pixel as a colour."""
    # Differences of unsigned bytes would wrap around.
    difference = np.abs(seen.astype(np.int16) - rendered).mean(axis=2) / _WORST
    bgr = cv2.applyColorMap((difference.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(bgr[..., ::-1])


def figure(picture: UInt8[np.ndarray, "h w 3"], caption: str) -> str:
    """Return a picture with its caption."""
    text = escape(caption)
    return f"<figure>{image(picture, caption)}<figcaption>{text}</figcaption></figure>"


def _pair(
    before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"], caption: str
) -> str:
    """Return two pictures one above the other, with a slider between them."""
    text = escape(caption)
    return (
        f'<figure><div class="pair">{image(before, "seen")}{image(after, "rendered")}'
        f'<input type="range" min="0" max="100" value="50" aria-label="{text}"></div>'
        f"<figcaption>{text}</figcaption></figure>"
    )


def image(picture: UInt8[np.ndarray, "h w 3"], label: str, most_px: int = _WIDTH_PX) -> str:
    """Return an image element that holds its JPEG."""
    height, width = picture.shape[:2]
    if width > most_px:
        size = (most_px, max(1, round(height * most_px / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    quality = (cv2.IMWRITE_JPEG_QUALITY, 88)
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), quality)
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    return f'<img alt="{escape(label)}" src="data:image/jpeg;base64,{data}">'
