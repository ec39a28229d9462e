# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Matching of one picture with others by plane sweep for CPUs, compiled at run time by numba."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ineus_core.kernels.depth_splatting.cpu import bend
from ineus_core.kernels.jit import in_parallel, jit
from ineus_core.kernels.shapes import expect_shape
from ineus_core.kernels.stereo_matching.reference import (
    APART,
    BORDER,
    CENSUS,
    CENSUS_PX,
    NEAREST_Z,
    UNSEEN_COST,
    Agreement,
    BestPlane,
    Planes,
    SourceDepth,
    SourceView,
    coefficients_of,
)

_ROWS_PER_TASK = 40
_LEAST_ROWS = 16
"""Rows of a thread."""
_AROUND = np.array(CENSUS)


def matching_cost(
    grey: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    base: Float[Tensor, "h w"],
    planes: Planes,
    sources: Sequence[SourceView],
    dead_zone: float,
) -> Float[Tensor, "planes h w"]:
    """Compare a picture with others at planes of inverse depth; see the door."""
    # As float32, like all constants below: one float64 would make the whole expression double.
    sharpness = np.float32(1 / dead_zone)
    expect_shape("plane_xy", plane_xy, (*grey.shape, 2))
    expect_shape("base", base, tuple(grey.shape))
    x, y = (plane_xy[..., i].contiguous().numpy() for i in (0, 1))
    census = np.empty((len(_AROUND), *grey.shape), np.float32)
    # Of the reference once, as all planes of all sources are compared with it.
    picture = grey.contiguous().numpy()
    in_parallel(_census, len(grey), picture, _AROUND, sharpness, census, least=_LEAST_ROWS)
    offsets = planes.offsets(base.device).numpy()
    costs = np.zeros((planes.count, *grey.shape), np.float32)
    seen = np.zeros(costs.shape, np.float32)
    # Bands of one plane, so that what is warped stays in the cache until its census is taken.
    bands = -(-len(grey) // _ROWS_PER_TASK)
    for source in sources:
        size = source.camera.height_px, source.camera.width_px
        expect_shape("source", source.grey, size)
        expect_shape("usable", source.usable, size)
        in_parallel(
            _add_cost, bands * planes.count, census, x, y, base.contiguous().numpy(), offsets,
            source.grey.contiguous().view(-1).numpy(), size,
            # Most sources have no mask, and a look-up for each pixel of each plane costs time.
            source.usable.contiguous().view(-1).numpy(), not source.usable.all(),
            source.source_from_reference, *coefficients_of(source.camera),
            _AROUND, sharpness, costs, seen,
        )  # fmt: skip
    # Two census values, each -1 to 1, differ by up to 2.
    scale = np.float32(0.5 / len(_AROUND))
    in_parallel(_mean, planes.count, costs, seen, scale, np.float32(UNSEEN_COST))
    return torch.from_numpy(costs)


def filtered_cost(
    costs: Float[Tensor, "planes h w"], guide: Float[Tensor, "h w"], radius_px: int, edge: float
) -> Float[Tensor, "planes h w"]:
    """Smooth each slice by a guided filter; see the door."""
    expect_shape("guide", guide, tuple(costs.shape[1:]))
    filtered = np.empty(costs.shape, np.float32)
    picture, edge_square = guide.contiguous().numpy(), np.float32(edge * edge)
    row, mean, variance = (
        np.empty(shape, np.float32) for shape in (guide.shape[1], *2 * (guide.shape,))
    )
    _box(picture, radius_px, row, mean)
    _box(picture * picture, radius_px, row, variance)
    variance -= mean * mean
    in_parallel(
        _guided, len(costs), costs.contiguous().numpy(), picture, mean, variance, radius_px,
        edge_square, filtered,
    )  # fmt: skip
    return torch.from_numpy(filtered)


def best_plane(costs: Float[Tensor, "planes h w"]) -> BestPlane:
    """Pick the plane of least cost at each pixel; see the door."""
    index, cost, margin = (np.empty(costs.shape[1:], np.float32) for _ in range(3))
    in_parallel(
        _best, costs.shape[1], costs.contiguous().numpy(), index, cost, margin, least=_LEAST_ROWS
    )
    return BestPlane(*(torch.from_numpy(a) for a in (index, cost, margin)))


def median_of_25(image: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return the median of the square around each pixel, by OpenCV; see the door."""
    return torch.from_numpy(cv2.medianBlur(image.contiguous().numpy(), 5))


def mean_around(images: Float[Tensor, "n h w"], radius_px: int) -> Float[Tensor, "n h w"]:
    """Return the mean over the square around each pixel, by OpenCV; see the door."""
    # Zeros beyond the border, and divided by what lies inside, as the other versions do.
    kernel, border = (2 * radius_px + 1,) * 2, cv2.BORDER_CONSTANT
    inside = cv2.boxFilter(np.ones(images.shape[1:], np.float32), -1, kernel, borderType=border)
    means = [
        cv2.boxFilter(image, -1, kernel, borderType=border) / inside
        for image in images.contiguous().numpy()
    ]
    return torch.from_numpy(np.stack(means))


def reduced(image: Float[Tensor, "h w"], size_px: tuple[int, int]) -> Float[Tensor, "h2 w2"]:
    """Return means over the area of each pixel of a smaller picture, by OpenCV; see the door."""
    found = cv2.resize(image.contiguous().numpy(), size_px[::-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy(found)


def agreement(
    inverse_depth: Float[Tensor, "h w"],
    plane_xy: Float[Tensor, "h w 2"],
    others: Sequence[SourceDepth],
    least: float,
    most: float,
) -> Agreement:
    """Compare the inverse depth of a view with what others have found; see the door."""
    x, y = (plane_xy[..., i].contiguous().numpy() for i in (0, 1))
    q = inverse_depth.contiguous()
    expect_shape("plane_xy", plane_xy, (*q.shape, 2))
    agreeing, seen, against, difference = (np.zeros(q.shape, np.float32) for _ in range(4))
    total, weights = q.numpy().copy(), np.ones(q.shape, np.float32)
    for other in others:
        size = other.camera.height_px, other.camera.width_px
        expect_shape("inverse depth of a source", other.inverse_depth, size)
        in_parallel(
            _agree, len(q), q.numpy(), x, y, other.inverse_depth.contiguous().numpy(),
            other.source_from_reference, *coefficients_of(other.camera),
            np.float32(other.tolerance), np.float32(other.weight), np.float32(least),
            np.float32(most), agreeing, seen, against, total, weights, difference,
            least=_LEAST_ROWS,
        )  # fmt: skip
    spread = difference / (np.maximum(agreeing, 1) * np.maximum(q.numpy(), 1e-12))
    fused = total / weights
    return Agreement(*(torch.from_numpy(a) for a in (agreeing, seen, against, fused, spread)))


@jit(fastmath=True)
def _census(begin, end, grey, around, sharpness, census):  # type: ignore[no-untyped-def]
    height, width = grey.shape
    for i in range(len(around)):
        for y in range(begin, end):
            row = grey[min(max(y + around[i, 0], 0), height - 1)]
            for x in range(width):
                at = min(max(x + around[i, 1], 0), width - 1)
                t = (row[at] - grey[y, x]) * sharpness
                census[i, y, x] = min(max(t, np.float32(-1)), np.float32(1))


@jit(fastmath=True, error_model="numpy")
def _project_row(x, y, q, pose, pinhole, is_equidistant, k, is_bent, widest, size, u, v, sees):  # type: ignore[no-untyped-def]
    """Pixels of a source, from 0 at a centre, that a row at inverse depths q falls on."""
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    r00, r01, r02, t0 = pose[0, 0], pose[0, 1], pose[0, 2], pose[0, 3]
    r10, r11, r12, t1 = pose[1, 0], pose[1, 1], pose[1, 2], pose[1, 3]
    r20, r21, r22, t2 = pose[2, 0], pose[2, 1], pose[2, 2], pose[2, 3]
    fx, fy, cx, cy = pinhole[0], pinhole[1], pinhole[2], pinhole[3]
    width, height = size
    # In loops of their own, as only those without a branch or a look-up are vectorised.
    for i in range(len(q)):
        z = r20 * x[i] + r21 * y[i] + r22 + q[i] * t2
        inverse = one / max(z, np.float32(NEAREST_Z))
        u[i] = (r00 * x[i] + r01 * y[i] + r02 + q[i] * t0) * inverse
        v[i] = (r10 * x[i] + r11 * y[i] + r12 + q[i] * t1) * inverse
        sees[i] = one if z > NEAREST_Z else zero
    if is_bent:
        for i in range(len(q)):
            # Beyond the corners a polynomial may turn back and put rays into the picture again.
            if not u[i] * u[i] + v[i] * v[i] <= widest:
                u[i], v[i], sees[i] = zero, zero, zero
            bent_x, bent_y = bend(u[i], v[i], is_equidistant, k)
            u[i], v[i] = np.float32(bent_x), np.float32(bent_y)
    for i in range(len(q)):
        pixel_u, pixel_v = fx * u[i] + cx - half, fy * v[i] + cy - half
        inside = (pixel_u > -half) & (pixel_v > -half)
        inside &= (pixel_u < width - half) & (pixel_v < height - half)
        sees[i] = sees[i] if inside else zero
        # The last row and column are reached by a fraction of just below one.
        u[i] = min(max(pixel_u, zero), width - np.float32(BORDER))
        v[i] = min(max(pixel_v, zero), height - np.float32(BORDER))


@jit(fastmath=True, error_model="numpy")
def _add_cost(
    begin, end, census, plane_x, plane_y, base, offsets, pixels, source_shape, mask, has_mask,
    pose, pinhole, is_equidistant, k, is_bent, widest, around, sharpness, costs, seen,
):  # type: ignore[no-untyped-def]  # fmt: skip
    planes, height, width = costs.shape
    source_height, source_width = source_shape
    one = np.float32(1)
    size = np.float32(source_width), np.float32(source_height)
    width_of_row, one_right = np.uint64(source_width), np.uint64(1)
    for task in range(begin, end):
        plane, first = task % planes, task // planes * _ROWS_PER_TASK
        rows = min(_ROWS_PER_TASK, height - first)
        # With a margin, so that the loop over the census has no branch.
        warped = np.empty((rows + 2 * CENSUS_PX, width + 2 * CENSUS_PX), np.float32)
        u, v, q = (
            np.empty(width, np.float32),
            np.empty(width, np.float32),
            np.empty(width, np.float32),
        )
        sees = np.empty((rows + 2 * CENSUS_PX, width), np.float32)
        for j in range(rows + 2 * CENSUS_PX):
            y = min(max(first + j - CENSUS_PX, 0), height - 1)
            for x in range(width):
                q[x] = base[y, x] + offsets[plane]
            _project_row(
                plane_x[y], plane_y[y], q, pose, pinhole, is_equidistant, k, is_bent, widest,
                size, u, v, sees[j],
            )  # fmt: skip
            for x in range(width):
                # Unsigned, as a signed index is compared with 0 each time.
                left, top = np.uint32(u[x]), np.uint32(v[x])
                fu, fv = u[x] - np.float32(left), v[x] - np.float32(top)
                at = np.uint64(top) * width_of_row + np.uint64(left)
                a, b = pixels[at], pixels[at + one_right]
                c, d = pixels[at + width_of_row], pixels[at + width_of_row + one_right]
                upper, lower = a + fu * (b - a), c + fu * (d - c)
                warped[j, x + CENSUS_PX] = upper + fv * (lower - upper)
                if has_mask:
                    sees[j, x] *= mask[at]
            for x in range(CENSUS_PX):
                warped[j, x] = warped[j, CENSUS_PX]
                warped[j, width + CENSUS_PX + x] = warped[j, width + CENSUS_PX - 1]
        total = np.empty(width, np.float32)
        for j in range(rows):
            for x in range(width):
                total[x] = np.float32(0)
            centre = warped[j + CENSUS_PX, CENSUS_PX:]
            for i in range(len(around)):
                other = warped[j + CENSUS_PX + around[i, 0], CENSUS_PX + around[i, 1] :]
                ours = census[i, first + j]
                for x in range(width):
                    t = (other[x] - centre[x]) * sharpness
                    total[x] += abs(min(max(t, -one), one) - ours[x])
            for x in range(width):
                costs[plane, first + j, x] += total[x] * sees[j + CENSUS_PX, x]
                seen[plane, first + j, x] += sees[j + CENSUS_PX, x]


@jit(fastmath=True)
def _mean(begin, end, costs, seen, scale, unseen):  # type: ignore[no-untyped-def]
    _, height, width = costs.shape
    for plane in range(begin, end):
        for y in range(height):
            for x in range(width):
                n = seen[plane, y, x]
                mean = costs[plane, y, x] * scale / max(n, np.float32(1))
                costs[plane, y, x] = mean if n > 0 else unseen


@jit()
def _box(image, radius, scratch, out):  # type: ignore[no-untyped-def]
    """Mean over the square around each pixel, of its part inside the picture."""
    height, width = image.shape
    column = np.empty(width, np.float32)
    for x in range(width):
        column[x] = np.float32(0)
    # In loops: whole rows at once would take twice as long to compile.
    for y in range(-radius, height):
        if y + radius < height:
            for x in range(width):
                column[x] += image[y + radius, x]
        if y - radius - 1 >= 0:
            for x in range(width):
                column[x] -= image[y - radius - 1, x]
        if y < 0:
            continue
        rows = min(y + radius, height - 1) - max(y - radius, 0) + 1
        for x in range(width):
            scratch[x] = np.float32(0)
        # By shifts of the whole row, as a running sum along it could not be vectorised.
        for d in range(-radius, radius + 1):
            begin, end = max(0, -d), min(width, width - d)
            for x in range(begin, end):
                scratch[x] += column[x + d]
        for x in range(width):
            columns = min(x + radius, width - 1) - max(x - radius, 0) + 1
            out[y, x] = scratch[x] / np.float32(rows * columns)


@jit(fastmath=True)
def _guided(begin, end, costs, guide, mean_guide, variance, radius, edge_square, filtered):  # type: ignore[no-untyped-def]
    _, height, width = costs.shape
    row = np.empty(width, np.float32)
    # One by one: parts of one array would be of another type, for which `_box` is compiled anew.
    product = np.empty((height, width), np.float32)
    slope = np.empty((height, width), np.float32)
    mean = np.empty((height, width), np.float32)
    for plane in range(begin, end):
        for y in range(height):
            for x in range(width):
                product[y, x] = costs[plane, y, x] * guide[y, x]
        _box(costs[plane], radius, row, mean)
        _box(product, radius, row, slope)
        for y in range(height):
            for x in range(width):
                covariance = slope[y, x] - mean[y, x] * mean_guide[y, x]
                # A difference of means of squares may round to below 0.
                a = covariance / (max(variance[y, x], np.float32(0)) + edge_square)
                slope[y, x] = a
                mean[y, x] -= a * mean_guide[y, x]
        # Into buffers that are done with: a plane of each stays in the cache.
        _box(slope, radius, row, product)
        _box(mean, radius, row, slope)
        for y in range(height):
            for x in range(width):
                filtered[plane, y, x] = product[y, x] * guide[y, x] + slope[y, x]


# Without `fastmath`, which takes it for granted that no number is infinite.
@jit(error_model="numpy")
def _best(begin, end, costs, index, cost, margin):  # type: ignore[no-untyped-def]
    planes, _, width = costs.shape
    least, second = np.empty(width, np.float32), np.empty(width, np.float32)
    best = np.empty(width, np.int64)
    for y in range(begin, end):
        for x in range(width):
            least[x], best[x], second[x] = np.inf, 0, np.inf
        for plane in range(planes):
            for x in range(width):
                value = costs[plane, y, x]
                if value < least[x]:
                    least[x], best[x] = value, plane
        for plane in range(planes):
            for x in range(width):
                if abs(plane - best[x]) >= APART:
                    second[x] = min(second[x], costs[plane, y, x])
        for x in range(width):
            at = best[x]
            index[y, x], cost[y, x] = at, least[x]
            if 0 < at < planes - 1:
                before, after = costs[at - 1, y, x], costs[at + 1, y, x]
                curvature = before + after - 2 * least[x]
                # Where three costs are on a line the parabola has no vertex.
                if curvature > 1e-12:
                    shift = 0.5 * (before - after) / curvature
                    index[y, x] = at + shift
            margin[y, x] = second[x] - least[x]


# Division by zero gives infinity instead of an exception, which would keep loops from being
# vectorised.
@jit(error_model="numpy")
def _agree(
    begin, end, inverse_depth, plane_x, plane_y, found, pose, pinhole, is_equidistant, k, is_bent,
    widest, tolerance, their_weight, least, most, agreeing, seen, against, total, weights,
    difference,
):  # type: ignore[no-untyped-def]  # fmt: skip
    width = inverse_depth.shape[1]
    size = np.float32(found.shape[1]), np.float32(found.shape[0])
    for y in range(begin, end):
        u, v = np.empty(width, np.float32), np.empty(width, np.float32)
        sees = np.empty(width, np.float32)
        _project_row(
            plane_x[y], plane_y[y], inverse_depth[y], pose, pinhole, is_equidistant, k, is_bent,
            widest, size, u, v, sees,
        )  # fmt: skip
        for x in range(width):
            q = inverse_depth[y, x]
            if not (sees[x] > 0 and q > 0):
                continue
            left, top = int(u[x]), int(v[x])
            theirs = _found(found, left, top, u[x] - left, v[x] - top, most)
            if theirs <= 0:
                continue
            turned = pose[2, 0] * plane_x[y, x] + pose[2, 1] * plane_y[y, x] + pose[2, 2]
            z = turned + q * pose[2, 3]
            expected = q / z
            seen[y, x] += 1
            tolerated = min(max(tolerance, least * expected), most * expected)
            # Only one that is farther contradicts: a nearer one may hide this surface from that
            # view.
            if theirs < expected - tolerated:
                against[y, x] += 1
            elif theirs <= expected + tolerated:
                # The inverse depth along our ray at which the other view would find what it did.
                moved = theirs * turned / (1 - theirs * pose[2, 3])
                slope = turned / (z * z)
                weight = their_weight * slope * slope
                agreeing[y, x] += 1
                total[y, x] += weight * moved
                weights[y, x] += weight
                difference[y, x] += abs(moved - q)


@jit(inline="always")
def _found(image, left, top, fu, fv, most):  # type: ignore[no-untyped-def]
    """Inverse depth of another view between its pixels, at edges that of the nearest one."""
    a, b = image[top, left], image[top, left + 1]
    c, d = image[top + 1, left], image[top + 1, left + 1]
    low, high = min(a, b, c, d), max(a, b, c, d)
    # Interpolated across an edge it would be a depth between the two, which is nowhere.
    if low > 0 and high - low <= 2 * most * high:
        upper, lower = a + fu * (b - a), c + fu * (d - c)
        return upper + fv * (lower - upper)
    if fv < 0.5:
        return a if fu < 0.5 else b
    return c if fu < 0.5 else d
