# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of a picture from others for NVIDIA GPUs, in Triton; nothing waits for the device.

A source is looked up on all planes, and its costs are added before the next one's turn: its warped
pictures stay in the cache.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import triton
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.host_copy import write_to
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.stereo_matching import gpu_code
from ineus_core.kernels.stereo_matching.reference import (
    UNSEEN_COST,
    Agreement,
    BestPlane,
    Planes,
    SourceDepth,
    SourceView,
    coefficients_of,
    mean_around,
    reduced,
)

__all__ = [
    "agreement",
    "best_plane",
    "filtered_cost",
    "matching_cost",
    "mean_around",
    "median_of_25",
    "reduced",
]

_BLOCK = 256


def matching_cost(
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    base: Float[Tensor, "h w"],
    planes: Planes,
    sources: Sequence[SourceView],
    dead_zone: float,
) -> Float[Tensor, "planes h w"]:
    """Compare a picture with others at planes of inverse depth, source by source; see the door."""
    expect_shape("plane_xy", plane_xy, (*grey.shape, 2))
    expect_shape("base", base, tuple(grey.shape))
    grey, plane_xy, base = grey.contiguous(), plane_xy.contiguous(), base.contiguous()
    # One for all sources, which take their turns: what is warped is still in the cache when its
    # census is taken.
    shape = (planes.count, *grey.shape)
    warped, sees, total, seen = (torch.empty(shape, device=grey.device) for _ in range(4))
    # In one copy for all sources.
    rows = _rows_of(sources, grey.device)
    for number, (source, row) in enumerate(zip(sources, rows, strict=True)):
        size = _size_of(source)
        expect_shape("source", source.grey, size)
        expect_shape("usable", source.usable, size)
        _run(
            gpu_code.warp_planes, grey.numel(), planes.count, plane_xy, base, planes.first,
            planes.step, row, source.grey.contiguous(), source.usable.contiguous(), warped, sees,
            grey.numel(), size[1], size[0], **_lens_of(source),
        )  # fmt: skip
        _run(
            gpu_code.add_cost, grey.numel(), planes.count, grey, warped, sees, total, seen,
            *grey.shape, 1 / dead_zone, IS_FIRST=number == 0,
        )  # fmt: skip
    _run(gpu_code.mean_cost, total.numel(), 1, total, seen, UNSEEN_COST, total.numel())
    return total


def filtered_cost(
    costs: Float[Tensor, "planes h w"], guide: Float[Tensor, "h w"], radius_px: int, edge: float
) -> Float[Tensor, "planes h w"]:
    """Smooth each slice by a guided filter, rows and columns in turn; see the door."""
    planes, height, width = costs.shape
    pixels, costs, guide = height * width, costs.contiguous(), guide.contiguous()
    expect_shape("guide", guide, (height, width))
    mean_guide = mean_around(guide[None], radius_px)[0]
    variance = mean_around((guide * guide)[None], radius_px)[0] - mean_guide * mean_guide
    # A difference of means of squares may round to below 0.
    variance = variance.clamp(min=0) + edge * edge
    one, two, three, four = (torch.empty_like(costs) for _ in range(4))

    def run(kernel: Callable[..., Any], *arguments: Tensor, **constants: bool) -> None:
        _run(kernel, pixels, planes, *arguments, pixels, width, REACH=radius_px, **constants)

    run(gpu_code.sum_rows, costs, costs, guide, one, two, IS_PRODUCT=True)
    run(gpu_code.slope_and_level, one, two, mean_guide, variance, three, four)
    run(gpu_code.sum_rows, three, four, guide, one, two, IS_PRODUCT=False)
    run(gpu_code.mean_line, one, two, guide, three)
    return three


def best_plane(costs: Float[Tensor, "planes h w"]) -> BestPlane:
    """Pick the plane of least cost at each pixel; see the door."""
    costs = costs.contiguous()
    index, cost, margin = (torch.empty_like(costs[0]) for _ in range(3))
    pixels = index.numel()
    _run(gpu_code.pick_plane, pixels, 1, costs, index, cost, margin, pixels, PLANES=len(costs))
    return BestPlane(index, cost, margin)


def median_of_25(image: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return the median of the square around each pixel; see the door."""
    image, median = image.contiguous(), torch.empty(image.shape, device=image.device)
    _run(gpu_code.pick_median, image.numel(), 1, image, median, *image.shape)
    return median


def agreement(
    inverse_depth: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    others: Sequence[SourceDepth],
    least: float,
    most: float,
) -> Agreement:
    """Compare the inverse depth of a view with what others have found; see the door."""
    q, plane_xy = inverse_depth.contiguous(), plane_xy.contiguous()
    expect_shape("plane_xy", plane_xy, (*q.shape, 2))
    agreeing, seen, against, difference = (torch.zeros_like(q) for _ in range(4))
    total, weights = q.clone(), torch.ones_like(q)
    for other, row in zip(others, _rows_of(others, q.device), strict=True):
        size = _size_of(other)
        expect_shape("inverse depth of a source", other.inverse_depth, size)
        _run(
            gpu_code.add_agreement, q.numel(), 1, q, plane_xy, row,
            other.inverse_depth.contiguous(), other.tolerance, other.weight, least, most,
            agreeing, seen, against, total, weights, difference, q.numel(), size[1], size[0],
            **_lens_of(other),
        )  # fmt: skip
    spread = difference / (agreeing.clamp(min=1) * q.clamp(min=1e-12))
    return Agreement(agreeing, seen, against, total / weights, spread)


def _run(
    kernel: Callable[..., Any], pixels: int, planes: int, *arguments: Any, **constants: Any
) -> None:
    if pixels:
        grid = (triton.cdiv(pixels, _BLOCK), planes)
        kernel[grid](*arguments, **constants, BLOCK=_BLOCK, num_warps=4)  # type: ignore[index]


def _rows_of(
    sources: Sequence[SourceView | SourceDepth], device: torch.device
) -> Float[Tensor, "sources numbers"]:
    """Put what each source is like into a row of numbers on the device."""
    rows = np.zeros((len(sources), gpu_code.NUMBERS), np.float32)
    for row, source in zip(rows, sources, strict=True):
        pinhole, _, lens, _, widest = coefficients_of(source.camera)
        row[: gpu_code.PINHOLE] = source.source_from_reference.ravel()
        row[gpu_code.PINHOLE : gpu_code.LENS] = pinhole
        row[gpu_code.LENS : gpu_code.WIDEST] = lens
        row[gpu_code.WIDEST] = widest
    # By `write_to`, as a copy by torch would wait for all that the device has to do.
    result = torch.empty(rows.shape, device=device)
    write_to(result, rows)
    return result


def _size_of(source: SourceView | SourceDepth) -> tuple[int, int]:
    return source.camera.height_px, source.camera.width_px


def _lens_of(source: SourceView | SourceDepth) -> dict[str, bool]:
    _, is_equidistant, _, is_bent, _ = coefficients_of(source.camera)
    return {"IS_BENT": is_bent, "IS_EQUIDISTANT": is_equidistant}
