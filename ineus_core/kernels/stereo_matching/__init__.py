# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of a picture from others with known poses: plane sweep, and checks between views.

A plane of the sweep need not be flat: it lies at an offset from a base of inverse depth, which may
follow a surface. Any lens is met as it is, as only rays of the one picture are projected into the
others.

Versions: plain torch, numba, Triton.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.dispatch import fastest
from ineus_core.kernels.stereo_matching.reference import (
    UNSEEN_COST,
    Agreement,
    BestPlane,
    Planes,
    SourceDepth,
    SourceView,
)

__all__ = [
    "UNSEEN_COST",
    "Agreement",
    "BestPlane",
    "Planes",
    "SourceDepth",
    "SourceView",
    "agreement",
    "best_plane",
    "filtered_cost",
    "matching_cost",
    "mean_around",
    "median_of_25",
    "reduced",
]


def matching_cost(
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    base: Float[Tensor, "h w"],
    planes: Planes,
    sources: Sequence[SourceView],
    dead_zone: float,
) -> Float[Tensor, "planes h w"]:
    """Compare a picture with others at planes of inverse depth.

    The cost is the mean over all sources that see a pixel of the mean difference of its census
    (Zabih and Woodfill, 1994), here of 16 pixels around it, three-valued, and linear within the
    dead zone. Gain and offset of exposure leave it as it is.

    Args:
        grey: 0 to 255.
        plane_xy: Where the rays of the pixels meet the plane z = 1.
        base: Inverse depth of the middle of the sweep, 1/m.
        planes: Their offsets from the base.
        sources: The other pictures.
        dead_zone: Difference of grey that counts as one and not as noise.

    Returns:
        0 to 1; `UNSEEN_COST` where no source sees the pixel.
    """
    version = fastest("stereo_matching", grey.device)
    return version.matching_cost(grey, plane_xy, base, planes, sources, dead_zone)


def filtered_cost(
    costs: Float[Tensor, "planes h w"], guide: Float[Tensor, "h w"], radius_px: int, edge: float
) -> Float[Tensor, "planes h w"]:
    """Smooth each slice of costs by a guided filter (He et al. 2010; Hosni et al. 2013).

    Args:
        guide: The picture, whose edges are kept.
        radius_px: Reach of the filter to each side.
        edge: Standard deviation of the guide that counts as an edge.
    """
    return fastest("stereo_matching", costs.device).filtered_cost(costs, guide, radius_px, edge)


def best_plane(costs: Float[Tensor, "planes h w"]) -> BestPlane:
    """Pick the plane of least cost at each pixel, with the vertex of the parabola around it."""
    return fastest("stereo_matching", costs.device).best_plane(costs)


def agreement(
    inverse_depth: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    others: Sequence[SourceDepth],
    least: float,
    most: float,
) -> Agreement:
    """Compare the inverse depth of a view with what other views have found there.

    Args:
        inverse_depth: 1/m; 0 where there is none.
        plane_xy: Where the rays of the pixels meet the plane z = 1.
        others: What others have found, each with its tolerance.
        least: Share of the inverse depth that is tolerated at any rate.
        most: Share of the inverse depth beyond which nothing is tolerated.
    """
    version = fastest("stereo_matching", inverse_depth.device)
    return version.agreement(inverse_depth, plane_xy, others, least, most)


def median_of_25(image: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return the median of the square of 5 x 5 around each pixel, the border repeated."""
    return fastest("stereo_matching", image.device).median_of_25(image)


def reduced(image: Float[Tensor, "h w"], size_px: tuple[int, int]) -> Float[Tensor, "h2 w2"]:
    """Return a smaller picture: means over the area of each of its pixels.

    Args:
        size_px: Height and width, no larger than those of the image.
    """
    return fastest("stereo_matching", image.device).reduced(image, size_px)


def mean_around(images: Float[Tensor, "n h w"], radius_px: int) -> Float[Tensor, "n h w"]:
    """Return the mean over the square around each pixel, of its part inside the picture."""
    return fastest("stereo_matching", images.device).mean_around(images, radius_px)
