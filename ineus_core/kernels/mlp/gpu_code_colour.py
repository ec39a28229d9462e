# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Device code of the colour head: a program keeps the weights and takes tile after tile."""

import triton
import triton.language as tl

from ineus_core.kernels.mlp.gpu_code_sdf import half_dot, load_tile
from ineus_core.kernels.mlp.reference import SH_CHANNELS

_CONSTANT_HARMONIC = tl.constexpr(0.28209479177387814)
_SH = tl.constexpr(SH_CHANNELS)
_BEHIND_GEOMETRY = tl.constexpr(SH_CHANNELS + 3)
"""Inputs behind the geometry features: spherical harmonics, then the normal."""
_RGB = tl.constexpr(16)
"""Width of the tile of colours: the least that a matrix product takes."""
_SHORTEST = tl.constexpr(1e-6)


@triton.jit
def _pick(columns, index, vector, tile):
    """Put a vector into one column of a tile."""
    return tl.where((columns == index)[None, :], vector[:, None], tile)


@triton.jit
def _inputs(geometry, x, y, z, nx, ny, nz, AT: tl.constexpr, WIDTH: tl.constexpr):
    """Return geometry features, harmonics of degree 0 to 3 from column AT on, and the normal."""
    c = tl.arange(0, WIDTH)
    # Real harmonics of the direction, as instant-ngp's encoding of degree 4 orders and signs
    # them.
    xx, yy, zz = x * x, y * y, z * z
    tile = tl.where((c == AT)[None, :], _CONSTANT_HARMONIC, geometry)
    tile = _pick(c, AT + 1, -0.4886025119029199 * y, tile)
    tile = _pick(c, AT + 2, 0.4886025119029199 * z, tile)
    tile = _pick(c, AT + 3, -0.4886025119029199 * x, tile)
    tile = _pick(c, AT + 4, 1.0925484305920792 * x * y, tile)
    tile = _pick(c, AT + 5, -1.0925484305920792 * y * z, tile)
    tile = _pick(c, AT + 6, 0.31539156525252005 * (3.0 * zz - 1.0), tile)
    tile = _pick(c, AT + 7, -1.0925484305920792 * x * z, tile)
    tile = _pick(c, AT + 8, 0.5462742152960396 * (xx - yy), tile)
    tile = _pick(c, AT + 9, -0.5900435899266435 * y * (3.0 * xx - yy), tile)
    tile = _pick(c, AT + 10, 2.890611442640554 * x * y * z, tile)
    tile = _pick(c, AT + 11, -0.4570457994644658 * y * (5.0 * zz - 1.0), tile)
    tile = _pick(c, AT + 12, 0.3731763325901154 * z * (5.0 * zz - 3.0), tile)
    tile = _pick(c, AT + 13, -0.4570457994644658 * x * (5.0 * zz - 1.0), tile)
    tile = _pick(c, AT + 14, 1.445305721320277 * z * (xx - yy), tile)
    tile = _pick(c, AT + 15, -0.5900435899266435 * x * (xx - 3.0 * yy), tile)
    tile = _pick(c, AT + _SH, nx, tile)
    tile = _pick(c, AT + _SH + 1, ny, tile)
    return _pick(c, AT + _SH + 2, nz, tile)


@triton.jit
def _vector(base, i, stride_n, stride_k, mask):
    at = base + i * stride_n
    x = tl.load(at, mask, other=0.0).to(tl.float32)
    y = tl.load(at + stride_k, mask, other=0.0).to(tl.float32)
    return x, y, tl.load(at + 2 * stride_k, mask, other=0.0).to(tl.float32)


@triton.jit
def _unit(x, y, z):
    """Return the unit vector and the inverse length, bounded as in the reference."""
    # A gradient of length 0, of a field that is flat there, gives no normal rather than NaN.
    inverse = 1.0 / tl.maximum(tl.sqrt(x * x + y * y + z * z), _SHORTEST)
    return x * inverse, y * inverse, z * inverse, inverse


@triton.jit
def unit_backward(nx, ny, nz, inverse, tx, ty, tz):
    """Return the cotangent of a vector, given that of its unit vector."""
    # Below the bound of `_unit` the length is a constant.
    along = tl.where(inverse < 1.0 / _SHORTEST, nx * tx + ny * ty + nz * tz, 0.0)
    return inverse * (tx - nx * along), inverse * (ty - ny * along), inverse * (tz - nz * along)


@triton.jit
def _load(w, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    r, c = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    mask = (r < rows)[:, None] & (c < columns)[None, :]
    return tl.load(w + r[:, None] * columns + c[None, :], mask, other=0.0)


@triton.jit
def colour_forward(
    outputs, gradient, directions, ray_index, w1, b1, w2, b2, w3, b3, rgb, n,
    output_n, output_c, gradient_n, gradient_k, direction_n, direction_k, rgb_n, rgb_c,
    OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr, Y: tl.constexpr,
    BLOCK: tl.constexpr, TYPE: tl.constexpr, WITH_INDEX: tl.constexpr,
):  # fmt: skip
    j, k = tl.arange(0, HIDDEN), tl.arange(0, _RGB)
    wa = _load(w1, HIDDEN, OUTPUTS + _BEHIND_GEOMETRY, HIDDEN, Y).to(TYPE)
    wb = _load(w2, HIDDEN, HIDDEN, HIDDEN, HIDDEN).to(TYPE)
    wc = _load(w3, 3, HIDDEN, _RGB, HIDDEN).to(TYPE)
    for tile in range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0)):
        i = tile * BLOCK + tl.arange(0, BLOCK)
        mask = i < n
        # Samples of a ray share its direction, which is stored once.
        ray = i
        if WITH_INDEX:
            ray = tl.load(ray_index + i, mask, other=0)
        dx, dy, dz = _vector(directions, ray, direction_n, direction_k, mask)
        gx, gy, gz = _vector(gradient, i, gradient_n, gradient_k, mask)
        nx, ny, nz, _ = _unit(gx, gy, gz)
        geometry = load_tile(outputs, i, output_n, output_c, OUTPUTS, Y, mask).to(tl.float32)
        inputs = _inputs(geometry, dx, dy, dz, nx, ny, nz, OUTPUTS, Y)
        # Biases are loaded where they are needed: kept, they would cost registers in all of the
        # loop.
        a = tl.maximum(half_dot(inputs, tl.trans(wa), TYPE) + tl.load(b1 + j)[None, :], 0.0)
        b = tl.maximum(half_dot(a, tl.trans(wb), TYPE) + tl.load(b2 + j)[None, :], 0.0)
        bias = tl.load(b3 + k, k < 3, other=0.0)[None, :]
        colour = tl.sigmoid(half_dot(b, tl.trans(wc), TYPE) + bias)
        target = rgb + (i[:, None] * rgb_n + k[None, :] * rgb_c)
        tl.store(target, colour, mask[:, None] & (k < 3)[None, :])


@triton.jit
def colour_backward(
    outputs, gradient, directions, ray_index, w1, b1, w2, b2, w3, b3, d_rgb, d_gradient,
    d_outputs, d_gradient_total, d_w1, d_b1, d_w2, d_b2, d_w3, d_b3, n,
    output_n, output_c, gradient_n, gradient_k, direction_n, direction_k, d_rgb_n, d_rgb_c,
    d_gradient_n, d_gradient_k, d_output_n, d_output_c, total_n, total_k,
    OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr, Y: tl.constexpr,
    BLOCK: tl.constexpr, TYPE: tl.constexpr, GRADIENT_TYPE: tl.constexpr,
    WITH_INDEX: tl.constexpr, WITH_GRADIENT: tl.constexpr,
):  # fmt: skip
    """Write cotangents of geometry and gradient; add those of weights, summed over the tiles.

    A program keeps these sums over all its tiles, so that atomic additions, which wait for each
    other at so few addresses, come once a program and not once a tile.
    """
    j, k, c = tl.arange(0, HIDDEN), tl.arange(0, _RGB), tl.arange(0, Y)
    wa = _load(w1, HIDDEN, OUTPUTS + _BEHIND_GEOMETRY, HIDDEN, Y)
    wb = _load(w2, HIDDEN, HIDDEN, HIDDEN, HIDDEN)
    wc = _load(w3, 3, HIDDEN, _RGB, HIDDEN)
    sum_wa = tl.zeros((HIDDEN, Y), tl.float32)
    sum_wb = tl.zeros((HIDDEN, HIDDEN), tl.float32)
    sum_wc = tl.zeros((HIDDEN, _RGB), tl.float32)
    sum_bb = tl.zeros((HIDDEN, _RGB), tl.float32)
    # A sum over rows as a product with ones: the tensor cores do it on the side.
    ones = tl.full((BLOCK, _RGB), 1.0, tl.float32)
    sum_bc = tl.zeros((_RGB,), tl.float32)
    for tile in range(tl.program_id(0), tl.cdiv(n, BLOCK), tl.num_programs(0)):
        i = tile * BLOCK + tl.arange(0, BLOCK)
        mask = i < n
        ray = i
        if WITH_INDEX:
            ray = tl.load(ray_index + i, mask, other=0)
        dx, dy, dz = _vector(directions, ray, direction_n, direction_k, mask)
        gx, gy, gz = _vector(gradient, i, gradient_n, gradient_k, mask)
        nx, ny, nz, inverse = _unit(gx, gy, gz)
        geometry = load_tile(outputs, i, output_n, output_c, OUTPUTS, Y, mask).to(tl.float32)
        inputs = _inputs(geometry, dx, dy, dz, nx, ny, nz, OUTPUTS, Y).to(TYPE)
        a = tl.maximum(half_dot(inputs, tl.trans(wa), TYPE) + tl.load(b1 + j)[None, :], 0.0).to(
            TYPE
        )
        b = tl.maximum(half_dot(a, tl.trans(wb), TYPE) + tl.load(b2 + j)[None, :], 0.0).to(TYPE)
        bias = tl.load(b3 + k, k < 3, other=0.0)[None, :]
        colour = tl.sigmoid(half_dot(b, tl.trans(wc), TYPE) + bias)
        d_colour = load_tile(d_rgb, i, d_rgb_n, d_rgb_c, 3, _RGB, mask).to(tl.float32)
        # Of the sigmoid, by its own value.
        d_c = d_colour * colour * (1.0 - colour)
        sum_wc = half_dot(tl.trans(b), d_c, GRADIENT_TYPE, sum_wc)
        sum_bc += tl.sum(d_c, 0)
        d_b = tl.where(b > 0.0, half_dot(d_c, wc, GRADIENT_TYPE), 0.0)
        sum_bb = half_dot(tl.trans(d_b), ones, GRADIENT_TYPE, sum_bb)
        sum_wb = half_dot(tl.trans(d_b), a, GRADIENT_TYPE, sum_wb)
        d_a = tl.where(a > 0.0, half_dot(d_b, wb, GRADIENT_TYPE), 0.0)
        sum_wa = half_dot(tl.trans(d_a), inputs, GRADIENT_TYPE, sum_wa)
        d_inputs = half_dot(d_a, wa, GRADIENT_TYPE)
        target = d_outputs + (i[:, None] * d_output_n + c[None, :] * d_output_c)
        tl.store(target, d_inputs, mask[:, None] & (c < OUTPUTS)[None, :])
        # Triton picks no column out of a tile: the others are summed as zeros.
        tx = tl.sum(tl.where((c == OUTPUTS + _SH)[None, :], d_inputs, 0.0), 1)
        ty = tl.sum(tl.where((c == OUTPUTS + _SH + 1)[None, :], d_inputs, 0.0), 1)
        tz = tl.sum(tl.where((c == OUTPUTS + _SH + 2)[None, :], d_inputs, 0.0), 1)
        tx, ty, tz = unit_backward(nx, ny, nz, inverse, tx, ty, tz)
        if WITH_GRADIENT:
            # What compositing and losses want of the gradient comes on top.
            px, py, pz = _vector(d_gradient, i, d_gradient_n, d_gradient_k, mask)
            tx, ty, tz = tx + px, ty + py, tz + pz
        target = d_gradient_total + i * total_n
        tl.store(target, tx, mask)
        tl.store(target + total_k, ty, mask)
        tl.store(target + 2 * total_k, tz, mask)
    _add_sums(
        d_w1, d_b1, d_w2, d_b2, d_w3, d_b3, sum_wa, sum_wb, sum_bb, sum_wc, sum_bc,
        OUTPUTS, HIDDEN, Y,
    )  # fmt: skip


@triton.jit
def _add_sums(
    d_w1, d_b1, d_w2, d_b2, d_w3, d_b3, sum_wa, sum_wb, sum_bb, sum_wc, sum_bc,
    OUTPUTS: tl.constexpr, HIDDEN: tl.constexpr, Y: tl.constexpr,
):  # fmt: skip
    j, k, c = tl.arange(0, HIDDEN), tl.arange(0, _RGB), tl.arange(0, Y)
    inputs = OUTPUTS + _BEHIND_GEOMETRY
    row = d_w1 + j[:, None] * inputs
    tl.atomic_add(row + c[None, :], sum_wa, (c < inputs)[None, :], sem="relaxed")
    # The first spherical harmonic is constant: its column is the bias' gradient times that.
    tl.atomic_add(
        d_b1 + j[:, None] + 0 * c[None, :], sum_wa / _CONSTANT_HARMONIC,
        (c == OUTPUTS)[None, :], sem="relaxed",
    )  # fmt: skip
    tl.atomic_add(d_w2 + j[:, None] * HIDDEN + j[None, :], sum_wb, sem="relaxed")
    tl.atomic_add(d_b2 + j[:, None] + 0 * k[None, :], sum_bb, (k == 0)[None, :], sem="relaxed")
    tl.atomic_add(d_w3 + k[None, :] * HIDDEN + j[:, None], sum_wc, (k < 3)[None, :], sem="relaxed")
    tl.atomic_add(d_b3 + k, sum_bc, k < 3, sem="relaxed")
