# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Device code of the SDF head: a program keeps the weights and takes tile after tile of points."""

import math

import triton
import triton.language as tl

from ineus_core.kernels.mlp.reference import SOFTPLUS_BETA

_INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
_BETA = tl.constexpr(SOFTPLUS_BETA)
_BETA_LOG2_E = tl.constexpr(SOFTPLUS_BETA / math.log(2))
_LN_2_OVER_BETA = tl.constexpr(math.log(2) / SOFTPLUS_BETA)
# As float32 vectors in registers they had 816 bytes spilled on the way back, so 96
# (benchmarks/README.md).
_COORDINATES = tl.constexpr(16)
"""Columns of the tile of coordinates: three of each of the next, then two of the bias, then 0.

A product in half precision of x + dx with w + dw, both split into what half precision holds and
the remainder, keeps the digits of float32 if all but dx dw is summed: x w, dx w and x dw.
"""
_REMAINDERS_OF_POINTS = tl.constexpr(3)
_REMAINDERS_OF_WEIGHTS = tl.constexpr(6)
_BIAS = tl.constexpr(9)
_USED_COORDINATES = tl.constexpr(11)


@triton.jit
def half_dot(a, b, TYPE: tl.constexpr, total=None):
    """Multiply matrices with float32 sums; operands of TYPE, of which float32 keeps its digits."""
    # Three products of TF32 keep what one of them would lose of float32's digits, and stay on the
    # tensor cores.
    if TYPE == tl.float32:
        return tl.dot(a.to(tl.float32), b.to(tl.float32), total, input_precision="tf32x3")
    return tl.dot(a.to(TYPE), b.to(TYPE), total)


@triton.jit
def load_tile(base, i, stride_n, stride_c, columns, WIDTH: tl.constexpr, mask):
    """Load rows i of a matrix, zero beyond its columns."""
    c = tl.arange(0, WIDTH)
    pointers = base + (i[:, None] * stride_n + c[None, :] * stride_c)
    return tl.load(pointers, mask[:, None] & (c < columns)[None, :], other=0.0)


@triton.jit
def _coordinate_weights(w1, b1, HIDDEN: tl.constexpr, INPUTS: tl.constexpr, TYPE: tl.constexpr):
    """Load weights of the columns of `_coordinates`: rounded, again, remainders, bias in two."""
    j, k = tl.arange(0, HIDDEN), tl.arange(0, _COORDINATES)
    weight = tl.load(w1 + j[:, None] * INPUTS + (k % 3)[None, :])
    bias = tl.load(b1 + j)[:, None] + 0.0 * weight
    value = tl.where((k < _BIAS)[None, :], weight, bias)
    # The distance is a difference of large terms near a surface: what half precision rounds off a
    # coordinate would move the surface by as much.
    rounded = value.to(TYPE).to(tl.float32)
    is_rounded = (k < _REMAINDERS_OF_WEIGHTS) | (k == _BIAS)
    value = tl.where(is_rounded[None, :], rounded, value - rounded)
    return tl.where((k < _USED_COORDINATES)[None, :], value, 0.0).to(TYPE)


@triton.jit
def _coordinates(points, i, mask, point_n, point_k, scale, offset, TYPE: tl.constexpr):
    """Load coordinates as sums of two numbers of TYPE, which keeps float32's digits; then ones."""
    k = tl.arange(0, _COORDINATES)
    pointers = points + (i[:, None] * point_n + (k % 3)[None, :] * point_k)
    x = tl.load(pointers, mask[:, None] & (k < _BIAS)[None, :], other=0.0) * scale + offset
    is_remainder = (k >= _REMAINDERS_OF_POINTS) & (k < _REMAINDERS_OF_WEIGHTS)
    x = tl.where(is_remainder[None, :], x - x.to(TYPE).to(tl.float32), x)
    one = tl.where((k < _USED_COORDINATES)[None, :], 1.0, 0.0)
    return tl.where((k < _BIAS)[None, :], x, one)


@triton.jit
def _directions(source, i, mask, stride_n, stride_k, scale):
    """Load components in the columns where `_coordinate_weights` has weights and remainders."""
    k = tl.arange(0, _COORDINATES)
    pointers = source + (i[:, None] * stride_n + (k % 3)[None, :] * stride_k)
    # Not those of the remainders of points: a derivative by a point has none.
    used = (k < 3) | ((k >= _REMAINDERS_OF_WEIGHTS) & (k < _BIAS))
    return tl.load(pointers, mask[:, None] & used[None, :], other=0.0) * scale


@triton.jit
def _axes(tile):
    """Return sums over the two columns of each axis, in columns 0 to 2."""
    k = tl.arange(0, _COORDINATES)[None, :]
    # A product with the weights left rounded parts and remainders in columns of their own.
    x = tl.sum(tl.where((k == 0) | (k == _REMAINDERS_OF_WEIGHTS), tile, 0.0), 1)
    y = tl.sum(tl.where((k == 1) | (k == _REMAINDERS_OF_WEIGHTS + 1), tile, 0.0), 1)
    z = tl.sum(tl.where((k == 2) | (k == _REMAINDERS_OF_WEIGHTS + 2), tile, 0.0), 1)
    return tl.where(k == 0, x[:, None], tl.where(k == 1, y[:, None], z[:, None]))


@triton.jit
def _log2(x):
    """Take the logarithm by the special function unit; the library's takes a dozen more steps."""
    if _INTERPRETED:
        return tl.log2(x)
    return tl.inline_asm_elementwise(
        "lg2.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
    )


@triton.jit
def _softplus(h):
    """Return softplus, and its slope."""
    # softplus(h) = max(h, 0) + ln(1 + exp(-b |h|)) / b, by powers of two, as the GPU has these.
    # e <= 1, so nothing overflows.
    e = tl.exp2(-_BETA_LOG2_E * tl.abs(h))
    activation = tl.maximum(h, 0.0) + _LN_2_OVER_BETA * _log2(1.0 + e)
    return activation, tl.where(h >= 0.0, 1.0, e) / (1.0 + e)


@triton.jit
def _feature_weights(w1, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, C: tl.constexpr):
    # Rows of w1 begin with the three weights of the coordinates.
    j, c = tl.arange(0, HIDDEN), tl.arange(0, C)
    pointers = w1 + j[:, None] * (3 + CHANNELS) + 3 + c[None, :]
    return tl.load(pointers, (c < CHANNELS)[None, :], other=0.0)


@triton.jit
def _output_weights(w2, OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr, OUT: tl.constexpr):
    j, o = tl.arange(0, HIDDEN), tl.arange(0, OUT)
    return tl.load(w2 + o[:, None] * HIDDEN + j[None, :], (o < OUTPUTS)[:, None], other=0.0)


@triton.jit
def sdf_forward(
    points, features, w1, b1, w2, b2, sdf, gradient, outputs, slopes, n,
    point_n, point_k, feature_n, feature_c, gradient_n, gradient_k, output_n, output_c, slope_n,
    slope_c,
    point_scale, point_offset, sdf_scale,
    CHANNELS: tl.constexpr, OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr,
    C: tl.constexpr, OUT: tl.constexpr, BLOCK: tl.constexpr, TYPE: tl.constexpr,
    WITH_SDF: tl.constexpr, WITH_GRADIENT: tl.constexpr,
):  # fmt: skip
    j, c, o = tl.arange(0, HIDDEN), tl.arange(0, C), tl.arange(0, OUT)
    wu = _coordinate_weights(w1, b1, HIDDEN, 3 + CHANNELS, TYPE)
    wf = _feature_weights(w1, CHANNELS, HIDDEN, C).to(TYPE)
    wo = _output_weights(w2, OUTPUTS, HIDDEN, OUT).to(TYPE)
    # As many programs as fit on the GPU at once, each with its weights loaded once.
    for tile in range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0)):
        i = tile * BLOCK + tl.arange(0, BLOCK)
        mask = i < n
        u = _coordinates(points, i, mask, point_n, point_k, point_scale, point_offset, TYPE)
        value = load_tile(features, i, feature_n, feature_c, CHANNELS, C, mask)
        h = half_dot(value, tl.trans(wf), TYPE, half_dot(u, tl.trans(wu), TYPE))
        activation, slope = _softplus(h)
        # Loaded in the loop: held over it, it would fill the registers.
        first = tl.load(w2 + j)[None, :]
        distance = tl.sum(activation * first, 1) + tl.load(b2)
        out = half_dot(activation, tl.trans(wo), TYPE)
        out += tl.load(b2 + o, o < OUTPUTS, other=0.0)[None, :]
        # The distance is summed in float32: its noise would be noise of the surface.
        out = tl.where((o == 0)[None, :], distance[:, None], out)
        target = outputs + (i[:, None] * output_n + o[None, :] * output_c)
        tl.store(target, out, mask[:, None] & (o < OUTPUTS)[None, :])
        if WITH_SDF:
            tl.store(sdf + i, distance * sdf_scale, mask)
        if WITH_GRADIENT:
            # The first output's derivative by the hidden units; back through w1 it is that by the
            # inputs.
            q = slope * first
            target = slopes + (i[:, None] * slope_n + c[None, :] * slope_c)
            tl.store(target, half_dot(q, wf, TYPE), mask[:, None] & (c < CHANNELS)[None, :])
            # The part of the gradient that comes through the coordinates themselves.
            direct = _axes(half_dot(q, wu, TYPE))
            k = tl.arange(0, _COORDINATES)
            target = gradient + (i[:, None] * gradient_n + k[None, :] * gradient_k)
            tl.store(target, 2.0 * direct, mask[:, None] & (k < 3)[None, :])


@triton.jit
def add_gradient(
    jacobian, slopes, gradient, n,
    jacobian_n, jacobian_c, jacobian_k, slope_n, slope_c, gradient_n, gradient_k, gradient_scale,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add the part through the features, Jacobian times slopes; all of it is reading memory."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    # `sdf_forward` has written the part through the coordinates.
    target = gradient + i * gradient_n
    x, y = tl.load(target, mask, other=0.0), tl.load(target + gradient_k, mask, other=0.0)
    z = tl.load(target + 2 * gradient_k, mask, other=0.0)
    for c in tl.static_range(CHANNELS):
        slope = tl.load(slopes + i * slope_n + c * slope_c, mask, other=0.0).to(tl.float32)
        row = jacobian + i * jacobian_n + c * jacobian_c
        x += slope * tl.load(row, mask, other=0.0).to(tl.float32)
        y += slope * tl.load(row + jacobian_k, mask, other=0.0).to(tl.float32)
        z += slope * tl.load(row + 2 * jacobian_k, mask, other=0.0).to(tl.float32)
    tl.store(target, x * gradient_scale, mask)
    tl.store(target + gradient_k, y * gradient_scale, mask)
    tl.store(target + 2 * gradient_k, z * gradient_scale, mask)


@triton.jit
def sdf_backward(
    points, features, jacobian, w1, b1, w2, d_sdf, d_gradient, d_outputs,
    d_features, d_w1, d_b1, d_w2, d_b2, n,
    point_n, point_k, feature_n, feature_c, jacobian_n, jacobian_c, jacobian_k,
    d_gradient_n, d_gradient_k, d_output_n, d_output_c, d_feature_n, d_feature_c,
    point_scale, point_offset, sdf_scale, gradient_scale,
    CHANNELS: tl.constexpr, OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr,
    C: tl.constexpr, OUT: tl.constexpr, BLOCK: tl.constexpr, TYPE: tl.constexpr,
    GRADIENT_TYPE: tl.constexpr, WITH_SDF: tl.constexpr, WITH_GRADIENT: tl.constexpr,
):  # fmt: skip
    """Cotangents of features, and of the weights, which each program sums over its tiles."""
    j, c, o = tl.arange(0, HIDDEN), tl.arange(0, C), tl.arange(0, OUT)
    wu = _coordinate_weights(w1, b1, HIDDEN, 3 + CHANNELS, TYPE)
    wf = _feature_weights(w1, CHANNELS, HIDDEN, C)
    wo = _output_weights(w2, OUTPUTS, HIDDEN, OUT)
    # Sums over all tiles of a program stay in registers, and are added to memory once.
    sum_wf = tl.zeros((HIDDEN, C), tl.float32)
    sum_wo = tl.zeros((HIDDEN, OUT), tl.float32)
    sum_coordinates = tl.zeros((HIDDEN, _COORDINATES), tl.float32)
    sum_first = tl.zeros((HIDDEN, _COORDINATES), tl.float32)
    sum_bo = tl.zeros((OUT,), tl.float32)
    for tile in range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0)):
        i = tile * BLOCK + tl.arange(0, BLOCK)
        mask = i < n
        if WITH_GRADIENT:
            # What the gradient's cotangent says to the slopes: the Jacobian, summed over the
            # axes.
            d_g = tl.zeros((BLOCK, C), tl.float32)
            for k in tl.static_range(3):
                axis = jacobian + k * jacobian_k
                along = load_tile(axis, i, jacobian_n, jacobian_c, CHANNELS, C, mask)
                p = tl.load(d_gradient + i * d_gradient_n + k * d_gradient_k, mask, other=0.0)
                d_g += (p * gradient_scale)[:, None] * along.to(tl.float32)
            p = _directions(d_gradient, i, mask, d_gradient_n, d_gradient_k, 2.0 * gradient_scale)
        d_out = load_tile(d_outputs, i, d_output_n, d_output_c, OUTPUTS, OUT, mask).to(tl.float32)
        if WITH_SDF:
            d_distance = tl.load(d_sdf + i, mask, other=0.0) * sdf_scale
            d_out += tl.where((o == 0)[None, :], d_distance[:, None], 0.0)
        # Hidden units are computed again rather than stored: they are the widest thing there is
        # of a point.
        u = _coordinates(points, i, mask, point_n, point_k, point_scale, point_offset, TYPE)
        value = load_tile(features, i, feature_n, feature_c, CHANNELS, C, mask)
        h = half_dot(value, tl.trans(wf), TYPE, half_dot(u, tl.trans(wu), TYPE))
        activation, slope = _softplus(h)
        sum_wo = half_dot(tl.trans(activation), d_out, GRADIENT_TYPE, sum_wo)
        sum_bo += tl.sum(d_out, 0)
        if WITH_GRADIENT:
            # The gradient is itself a product through w1 and w2's first row, and both get their
            # share.
            d_q = half_dot(p, tl.trans(wu), GRADIENT_TYPE)
            d_q = half_dot(d_g, tl.trans(wf), GRADIENT_TYPE, d_q) * slope
            # The column of the bias is one, so it holds the plain sum over the points.
            sum_first = half_dot(tl.trans(d_q), u, GRADIENT_TYPE, sum_first)
            first = tl.load(w2 + j)[None, :]
            q = tl.trans(slope * first)
            sum_wf = half_dot(q, d_g, GRADIENT_TYPE, sum_wf)
            sum_coordinates = half_dot(q, p, GRADIENT_TYPE, sum_coordinates)
        d_h = half_dot(d_out, wo, GRADIENT_TYPE) * slope
        if WITH_GRADIENT:
            # The slope's own derivative: sigmoid(b h)' = b s (1 - s), of which s is in d_q
            # already.
            d_h += d_q * first * (_BETA - _BETA * slope)
        sum_wf = half_dot(tl.trans(d_h), value, GRADIENT_TYPE, sum_wf)
        sum_coordinates = half_dot(tl.trans(d_h), u, GRADIENT_TYPE, sum_coordinates)
        target = d_features + (i[:, None] * d_feature_n + c[None, :] * d_feature_c)
        d_value = half_dot(d_h, wf, GRADIENT_TYPE)
        tl.store(target, d_value, mask[:, None] & (c < CHANNELS)[None, :])
    _add_sums(
        d_w1, d_b1, d_w2, d_b2, sum_wf, sum_coordinates, sum_wo, sum_first, sum_bo,
        CHANNELS, OUTPUTS, HIDDEN, C, OUT,
    )  # fmt: skip


@triton.jit
def _add_sums(
    d_w1, d_b1, d_w2, d_b2, sum_wf, sum_coordinates, sum_wo, sum_first, sum_bo,
    CHANNELS: tl.constexpr, OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr,
    C: tl.constexpr, OUT: tl.constexpr,
):  # fmt: skip
    # Programs add to the same few thousand addresses, each once: no queue worth a second launch.
    c, o = tl.arange(0, C), tl.arange(0, OUT)
    k = tl.arange(0, _COORDINATES)[None, :]
    rows = tl.arange(0, HIDDEN)[:, None]
    row = d_w1 + rows * (3 + CHANNELS)
    tl.atomic_add(row + 3 + c[None, :], sum_wf, (c < CHANNELS)[None, :], sem="relaxed")
    tl.atomic_add(row + k, sum_coordinates, k < 3, sem="relaxed")
    tl.atomic_add(d_b1 + rows + 0 * k, sum_coordinates, k == _BIAS, sem="relaxed")
    tl.atomic_add(d_w2 + o[None, :] * HIDDEN + rows, sum_wo, (o < OUTPUTS)[None, :], sem="relaxed")
    tl.atomic_add(d_w2 + rows + 0 * k, sum_first, k == _BIAS, sem="relaxed")
    tl.atomic_add(d_b2 + o, sum_bo, o < OUTPUTS, sem="relaxed")
