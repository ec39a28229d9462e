# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""How well a reconstruction predicts frames that it was not trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ineus_core.evaluation import (
    depth_l1_m,
    lpips,
    psnr,
    right_half,
    ssim,
    with_fitted_exposure,
)
from ineus_core.keyframes import believed_depth
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame, RenderedImage

FULL_WIDTH_PX = {"cpu": 320, "cuda": 4096}
"""Widest view that is compared; a CPU would take minutes for larger ones."""


@dataclass(frozen=True)
class ComparedView:
    """A frame, what the reconstruction shows in its place, and how far they are apart."""

    frame: Frame
    """At the size at which the two were compared."""
    image: RenderedImage
    figures: dict[str, float]
    exposure_fitted: bool = False
    """Whether the colours of the right half were judged, after a fit on the left half."""


def compare_view(reconstructor: Reconstructor, frame: Frame, max_width_px: int) -> ComparedView:
    """Render the view of a frame and compare the two, depth where it is believed.

    Where exposure varies its gain is fitted on the left half, and the colours of the right half
    are compared.
    """
    reduced = reduced_frame(frame, max_width_px)
    if reduced.depth_m is not None:
        # Depth that is not believed was not trained on either, and is no truth to measure by.
        depth_m, is_return = believed_depth(reduced, reconstructor.config.depth)
        reduced = replace(reduced, depth_m=np.where(is_return, depth_m, np.float32(0)))
    image = reconstructor.render(reduced.camera, reduced.world_from_camera)
    seen, given = image.rgb, reduced.rgb
    if reconstructor.exposure_varies:
        seen, given = right_half(with_fitted_exposure(seen, given)), right_half(given)
    figures = {"psnr": psnr(seen, given), "ssim": ssim(seen, given)}
    perceptual = lpips(seen, given)
    if perceptual is not None:
        figures["lpips"] = perceptual
    if reduced.depth_m is not None:
        figures["depth_l1_m"] = depth_l1_m(image.depth_m, reduced.depth_m)
    return ComparedView(reduced, image, figures, reconstructor.exposure_varies)


def mean_figures(views: Iterable[ComparedView]) -> dict[str, Any]:
    """Average each figure over the views that have it, None if none has; LPIPS if installed."""
    views = list(views)
    figures = [view.figures for view in views]
    means: dict[str, Any] = {}
    for name in ("psnr", "ssim", "depth_l1_m"):
        values = [f[name] for f in figures if name in f and np.isfinite(f[name])]
        means[name] = float(np.mean(values)) if values else None
    of_lpips = [f["lpips"] for f in figures if "lpips" in f]
    if of_lpips:
        means["lpips"] = float(np.mean(of_lpips))
    fitted = sum(view.exposure_fitted for view in views)
    if fitted:
        means["exposure_fitted"] = fitted
    return means


def figures_text(means: Mapping[str, Any]) -> str:
    """Return mean figures in words, without those that no view has."""
    said = (
        ("psnr", "PSNR {:.2f} dB", 1.0),
        ("ssim", "SSIM {:.3f}", 1.0),
        ("lpips", "LPIPS {:.3f}", 1.0),
        ("depth_l1_m", "depth L1 {:.2f} cm", 100.0),
    )
    parts = [
        text.format(factor * means[name])
        for name, text, factor in said
        if means.get(name) is not None
    ]
    if parts and means.get("exposure_fitted"):
        parts.append("colours of the right half after a fit of exposure on the left one")
    return ", ".join(parts) or "no figure can be measured"


def reduced_frame(frame: Frame, max_width_px: int) -> Frame:
    """Reduce a frame to no more than a width, by a whole factor; depth is picked, not averaged."""
    camera = frame.camera
    factor = -(-camera.width_px // max_width_px)
    if factor == 1:
        return frame
    size = camera.no_narrower(camera.width_px // factor, camera.height_px // factor)
    width_px, height_px = size
    rows = ((np.arange(height_px) + 0.5) * camera.height_px / height_px).astype(int)
    columns = ((np.arange(width_px) + 0.5) * camera.width_px / width_px).astype(int)
    pick = np.ix_(rows, columns)
    return Frame(
        frame.stamp_ns,
        camera.resized(width_px, height_px),
        frame.world_from_camera,
        cv2.resize(frame.rgb, (width_px, height_px), interpolation=cv2.INTER_AREA),
        None if frame.depth_m is None else frame.depth_m[pick],
        None if frame.mask is None else frame.mask[pick],
        None if frame.foreground is None else frame.foreground[pick],
    )
