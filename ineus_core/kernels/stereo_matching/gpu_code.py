# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Device code of `stereo_matching.gpu`: a thread takes a pixel, of one plane where there are some.

What a source is like stands in a row of numbers: its pose, its camera, its lens.
"""

import triton
import triton.language as tl

from ineus_core.kernels.stereo_matching.reference import APART, BORDER, NEAREST_Z

_NEAREST_Z = tl.constexpr(NEAREST_Z)
_BORDER = tl.constexpr(BORDER)
_APART = tl.constexpr(APART)
PINHOLE, LENS, WIDEST, NUMBERS = 12, 16, 28, 29
"""Where they begin in a row, after the 12 of the pose, and how many they are."""
_PINHOLE, _LENS, _WIDEST = tl.constexpr(PINHOLE), tl.constexpr(LENS), tl.constexpr(WIDEST)


@triton.jit
def _angle(r):
    """Arc tangent of what is not negative: halved twice, then its series up to r^15."""
    # Triton itself has no arc tangent; atan r = 2 atan(r / (1 + sqrt(1 + r r))) brings all of it
    # below tan(pi / 8), where the series is short.
    r = r / (1.0 + tl.sqrt(1.0 + r * r))
    r = r / (1.0 + tl.sqrt(1.0 + r * r))
    s = r * r
    series = 1 / 9 - s * (1 / 11 - s * (1 / 13 - s / 15))
    return 4.0 * r * (1.0 - s * (1 / 3 - s * (1 / 5 - s * (1 / 7 - s * series))))


@triton.jit
def _equidistant(row, x, y):
    r = tl.maximum(tl.sqrt(x * x + y * y), 1e-9)
    angle = _angle(r)
    a = angle * angle
    k1, k2 = tl.load(row + _LENS), tl.load(row + _LENS + 1)
    k3, k4 = tl.load(row + _LENS + 2), tl.load(row + _LENS + 3)
    scale = angle * (1.0 + a * (k1 + a * (k2 + a * (k3 + a * k4)))) / r
    return x * scale, y * scale


@triton.jit
def _polynomial(row, x, y):
    k = row + _LENS
    r2 = x * x + y * y
    upper = 1.0 + r2 * (tl.load(k) + r2 * (tl.load(k + 1) + r2 * tl.load(k + 4)))
    lower = 1.0 + r2 * (tl.load(k + 5) + r2 * (tl.load(k + 6) + r2 * tl.load(k + 7)))
    radial, p1, p2 = upper / lower, tl.load(k + 2), tl.load(k + 3)
    prism_x = r2 * (tl.load(k + 8) + r2 * tl.load(k + 9))
    prism_y = r2 * (tl.load(k + 10) + r2 * tl.load(k + 11))
    bent_x = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + prism_x
    bent_y = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + prism_y
    return bent_x, bent_y


@triton.jit
def _project(row, x, y, q, width, height, IS_BENT: tl.constexpr, IS_EQUIDISTANT: tl.constexpr):
    """Where a ray is in a source at an inverse depth: column, row, depth, and if it is seen."""
    sx = tl.load(row) * x + tl.load(row + 1) * y + tl.load(row + 2) + q * tl.load(row + 3)
    sy = tl.load(row + 4) * x + tl.load(row + 5) * y + tl.load(row + 6) + q * tl.load(row + 7)
    z = tl.load(row + 8) * x + tl.load(row + 9) * y + tl.load(row + 10) + q * tl.load(row + 11)
    # Kept as a mask and clamped, so that no lane divides by 0.
    seen = z > _NEAREST_Z
    z = tl.maximum(z, _NEAREST_Z)
    sx, sy = sx / z, sy / z
    if IS_BENT:
        seen = seen & (sx * sx + sy * sy <= tl.load(row + _WIDEST))
        # What lies outside would overflow in the powers of the lens.
        sx, sy = tl.where(seen, sx, 0.0), tl.where(seen, sy, 0.0)
        if IS_EQUIDISTANT:
            sx, sy = _equidistant(row, sx, sy)
        else:
            sx, sy = _polynomial(row, sx, sy)
    u = tl.load(row + _PINHOLE) * sx + tl.load(row + _PINHOLE + 2) - 0.5
    v = tl.load(row + _PINHOLE + 1) * sy + tl.load(row + _PINHOLE + 3) - 0.5
    seen = seen & (u > -0.5) & (v > -0.5) & (u < width - 0.5) & (v < height - 0.5)
    # Also of what is not seen: the look-up is not masked by it, and must stay in the picture.
    u = tl.minimum(tl.maximum(u, 0.0), width - _BORDER)
    v = tl.minimum(tl.maximum(v, 0.0), height - _BORDER)
    return u, v, z, seen


@triton.jit
def _corners(image, u, v, width, mask):
    """Return the four pixels around a place, and how far it is from the first."""
    left, top = u.to(tl.int32), v.to(tl.int32)
    at = image + top * width + left
    a, b = tl.load(at, mask, other=0.0), tl.load(at + 1, mask, other=0.0)
    c, d = tl.load(at + width, mask, other=0.0), tl.load(at + width + 1, mask, other=0.0)
    return a, b, c, d, u - left.to(tl.float32), v - top.to(tl.float32)


@triton.jit
def _between(a, b, c, d, fu, fv):
    upper, lower = a + fu * (b - a), c + fu * (d - c)
    return upper + fv * (lower - upper)


@triton.jit(do_not_specialize=["pixels", "width", "height"])
def warp_planes(
    plane_xy, base, first, step, row, grey, usable, warped, sees, pixels, width, height,
    IS_BENT: tl.constexpr, IS_EQUIDISTANT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Look a source up where the pixels of the reference are in it on one plane."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1)
    mask = i < pixels
    x = tl.load(plane_xy + 2 * i, mask, other=0.0)
    y = tl.load(plane_xy + 2 * i + 1, mask, other=0.0)
    q = tl.load(base + i, mask, other=0.0) + (first + step * plane.to(tl.float32))
    u, v, _, seen = _project(row, x, y, q, width, height, IS_BENT, IS_EQUIDISTANT)
    a, b, c, d, fu, fv = _corners(grey, u, v, width, mask)
    nearest = v.to(tl.int32) * width + u.to(tl.int32)
    out = plane.to(tl.int64) * pixels + i
    tl.store(warped + out, _between(a, b, c, d, fu, fv), mask)
    tl.store(sees + out, tl.load(usable + nearest, mask & seen, other=0.0), mask)


@triton.jit(do_not_specialize=["height", "width"])
def add_cost(
    grey, warped, sees, total, seen, height, width, sharpness,
    IS_FIRST: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add the difference of the census of one source on one plane; 16 pixels 2 apart."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64) * height * width
    mask = i < height * width
    y, x = i // width, i % width
    ours = tl.load(grey + i, mask, other=0.0)
    theirs = tl.load(warped + plane + i, mask, other=0.0)
    difference = tl.zeros((BLOCK,), tl.float32)
    for pair in range(16):
        row = tl.minimum(tl.maximum(y + (pair // 4) * 2 - 3, 0), height - 1)
        column = tl.minimum(tl.maximum(x + (pair % 4) * 2 - 3, 0), width - 1)
        at = row * width + column
        one = (tl.load(grey + at, mask, other=0.0) - ours) * sharpness
        other = (tl.load(warped + plane + at, mask, other=0.0) - theirs) * sharpness
        one = tl.minimum(tl.maximum(one, -1.0), 1.0)
        other = tl.minimum(tl.maximum(other, -1.0), 1.0)
        difference += tl.abs(one - other)
    share = tl.load(sees + plane + i, mask, other=0.0)
    # 16 differences, each up to 2.
    cost = difference * share / 32
    if not IS_FIRST:
        cost += tl.load(total + plane + i, mask, other=0.0)
        share += tl.load(seen + plane + i, mask, other=0.0)
    tl.store(total + plane + i, cost, mask)
    tl.store(seen + plane + i, share, mask)


@triton.jit(do_not_specialize=["n"])
def mean_cost(total, seen, unseen, n, BLOCK: tl.constexpr):
    """Divide sums of costs by what they were summed over, in place."""
    # Over all planes at once, whose pixels may be more than 32 bits count.
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    share = tl.load(seen + i, mask, other=0.0)
    mean = tl.load(total + i, mask, other=0.0) / tl.maximum(share, 1.0)
    tl.store(total + i, tl.where(share > 0, mean, unseen), mask)


@triton.jit(do_not_specialize=["pixels", "width"])
def sum_rows(
    one, two, guide, sum_one, sum_two, pixels, width,
    REACH: tl.constexpr, IS_PRODUCT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sum two images along x over a reach to each side; the second may be one times the guide."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64) * pixels
    mask = i < pixels
    x = i % width
    a, b = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    # Each pixel sums its neighbours anew: a running sum would be one thread after the other.
    for shift in range(-REACH, REACH + 1):
        inside = mask & (x + shift >= 0) & (x + shift < width)
        value = tl.load(one + plane + i + shift, inside, other=0.0)
        a += value
        if IS_PRODUCT:
            b += value * tl.load(guide + i + shift, inside, other=0.0)
        else:
            b += tl.load(two + plane + i + shift, inside, other=0.0)
    tl.store(sum_one + plane + i, a, mask)
    tl.store(sum_two + plane + i, b, mask)


@triton.jit
def _mean_of_columns(
    one, two, plane, i, pixels, width, mask, REACH: tl.constexpr, BLOCK: tl.constexpr
):
    """Means over the square around each pixel, of sums along x."""
    height = pixels // width
    y, x = i // width, i % width
    a, b = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for shift in range(-REACH, REACH + 1):
        inside = mask & (y + shift >= 0) & (y + shift < height)
        a += tl.load(one + plane + i + shift * width, inside, other=0.0)
        b += tl.load(two + plane + i + shift * width, inside, other=0.0)
    rows = tl.minimum(y + REACH, height - 1) - tl.maximum(y - REACH, 0) + 1
    columns = tl.minimum(x + REACH, width - 1) - tl.maximum(x - REACH, 0) + 1
    n = (rows * columns).to(tl.float32)
    return a / n, b / n


@triton.jit(do_not_specialize=["pixels", "width"])
def slope_and_level(
    sum_cost, sum_product, mean_guide, variance, slope, level, pixels, width,
    REACH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Fit costs by a line of the guide in the square around each pixel."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64) * pixels
    mask = i < pixels
    mean, product = _mean_of_columns(
        sum_cost, sum_product, plane, i, pixels, width, mask, REACH, BLOCK
    )
    guide = tl.load(mean_guide + i, mask, other=0.0)
    a = (product - mean * guide) / tl.load(variance + i, mask, other=1.0)
    tl.store(slope + plane + i, a, mask)
    tl.store(level + plane + i, mean - a * guide, mask)


@triton.jit(do_not_specialize=["pixels", "width"])
def mean_line(
    sum_slope, sum_level, guide, filtered, pixels, width,
    REACH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Evaluate the mean of the lines around each pixel at its guide."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(1).to(tl.int64) * pixels
    mask = i < pixels
    slope, level = _mean_of_columns(
        sum_slope, sum_level, plane, i, pixels, width, mask, REACH, BLOCK
    )
    result = slope * tl.load(guide + i, mask, other=0.0) + level
    tl.store(filtered + plane + i, result, mask)


@triton.jit(do_not_specialize=["pixels"])
def pick_plane(
    costs, index, cost, margin, pixels, PLANES: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Find the plane of least cost of each pixel, its vertex, and the best one elsewhere."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < pixels
    least = tl.full((BLOCK,), float("inf"), tl.float32)
    best = tl.zeros((BLOCK,), tl.int32)
    for plane in range(PLANES):
        value = tl.load(costs + plane * pixels + i, mask, other=0.0)
        best = tl.where(value < least, plane, best)
        least = tl.minimum(value, least)
    # A second pass instead of a list of minima: the best one has to be known first.
    second = tl.full((BLOCK,), float("inf"), tl.float32)
    for plane in range(PLANES):
        value = tl.load(costs + plane * pixels + i, mask, other=0.0)
        is_apart = (plane - best >= _APART) | (best - plane >= _APART)
        second = tl.where(is_apart, tl.minimum(second, value), second)
    before = tl.load(costs + tl.maximum(best - 1, 0) * pixels + i, mask, other=0.0)
    after = tl.load(costs + tl.minimum(best + 1, PLANES - 1) * pixels + i, mask, other=0.0)
    bend = before + after - 2 * least
    has_vertex = (best > 0) & (best < PLANES - 1) & (bend > 1e-12)
    shift = tl.where(has_vertex, 0.5 * (before - after) / tl.maximum(bend, 1e-12), 0.0)
    tl.store(index + i, best.to(tl.float32) + shift, mask)
    tl.store(cost + i, least, mask)
    tl.store(margin + i, second - least, mask)


@triton.jit(do_not_specialize=["height", "width"])
def pick_median(image, median, height, width, BLOCK: tl.constexpr):
    """Find the value of 25 that 12 are not above and 12 not below, by counting."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < height * width
    y, x = i // width, i % width
    result = tl.zeros((BLOCK,), tl.float32)
    for one in range(25):
        row = tl.minimum(tl.maximum(y + one // 5 - 2, 0), height - 1)
        column = tl.minimum(tl.maximum(x + one % 5 - 2, 0), width - 1)
        value = tl.load(image + row * width + column, mask, other=0.0)
        # By counting instead of sorting: Triton indexes no array in registers, and neighbours are
        # in the cache.
        less, equal = tl.zeros((BLOCK,), tl.int32), tl.zeros((BLOCK,), tl.int32)
        for other in range(25):
            row = tl.minimum(tl.maximum(y + other // 5 - 2, 0), height - 1)
            column = tl.minimum(tl.maximum(x + other % 5 - 2, 0), width - 1)
            theirs = tl.load(image + row * width + column, mask, other=0.0)
            less += (theirs < value).to(tl.int32)
            equal += (theirs == value).to(tl.int32)
        result = tl.where((less <= 12) & (less + equal > 12), value, result)
    tl.store(median + i, result, mask)


@triton.jit(do_not_specialize=["pixels", "width", "height"])
def add_agreement(
    inverse_depth, plane_xy, row, found, tolerance, their_weight, least, most, agreeing, seen_by,
    against, total, weights, difference, pixels, width, height, IS_BENT: tl.constexpr,
    IS_EQUIDISTANT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Compare the inverse depth of each pixel with what one other view has found there."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < pixels
    x = tl.load(plane_xy + 2 * i, mask, other=0.0)
    y = tl.load(plane_xy + 2 * i + 1, mask, other=0.0)
    q = tl.load(inverse_depth + i, mask, other=0.0)
    u, v, z, seen = _project(row, x, y, q, width, height, IS_BENT, IS_EQUIDISTANT)
    a, b, c, d, fu, fv = _corners(found, u, v, width, mask)
    low = tl.minimum(tl.minimum(a, b), tl.minimum(c, d))
    high = tl.maximum(tl.maximum(a, b), tl.maximum(c, d))
    nearest = tl.where(fv < 0.5, tl.where(fu < 0.5, a, b), tl.where(fu < 0.5, c, d))
    # Interpolated across an edge it would be a depth between the two, which is nowhere.
    is_smooth = (low > 0) & (high - low <= 2.0 * most * high)
    theirs = tl.where(is_smooth, _between(a, b, c, d, fu, fv), nearest)
    expected = q / z
    tolerated = tl.minimum(tl.maximum(tolerance, least * expected), most * expected)
    known = seen & (theirs > 0) & (q > 0)
    agrees = known & (tl.abs(theirs - expected) <= tolerated)
    opposes = known & (theirs < expected - tolerated)
    # The inverse depth along the same ray at which the other view would find what it did.
    forward = tl.load(row + 11)
    turned = z - q * forward
    moved = theirs * turned / (1.0 - theirs * forward)
    # How much they change with ours: one that sees the place from afar tells little of it.
    slope = turned / (z * z)
    weight = tl.where(agrees, their_weight * slope * slope, 0.0)
    at = tl.load(agreeing + i, mask, other=0.0) + agrees.to(tl.float32)
    tl.store(agreeing + i, at, mask)
    at = tl.load(seen_by + i, mask, other=0.0) + known.to(tl.float32)
    tl.store(seen_by + i, at, mask)
    at = tl.load(against + i, mask, other=0.0) + opposes.to(tl.float32)
    tl.store(against + i, at, mask)
    at = tl.load(total + i, mask, other=0.0) + weight * tl.where(agrees, moved, 0.0)
    tl.store(total + i, at, mask)
    at = tl.load(weights + i, mask, other=0.0) + weight
    tl.store(weights + i, at, mask)
    at = tl.load(difference + i, mask, other=0.0) + tl.where(agrees, tl.abs(moved - q), 0.0)
    tl.store(difference + i, at, mask)
