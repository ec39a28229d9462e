# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Device code of `compositing.gpu`: a warp takes a ray, chunk after chunk of its samples.

Samples of a ray depend on all nearer ones. A warp multiplies and sums over a chunk in registers,
without shared memory or a barrier, and carries one number, the transmittance, to the next chunk.
"""

import triton
import triton.language as tl

from ineus_core.kernels.compositing import rendered_columns
from ineus_core.kernels.mlp.gpu_code_colour import unit_backward

_EPSILON = tl.constexpr(1e-5)
_LEAST_CLEAR = tl.constexpr(1e-7)
"""An interval lets at least this through, as what lies behind it is divided by it."""
_SHORTEST = tl.constexpr(1e-6)
_MOST_EXPONENT = tl.constexpr(15.0)
"""As of `fields.networks.truncated_exp`."""
_COLOUR = tl.constexpr(rendered_columns.COLOUR)
_RANGE = tl.constexpr(rendered_columns.RANGE)
_NORMAL = tl.constexpr(rendered_columns.NORMAL)
_OPACITY = tl.constexpr(rendered_columns.OPACITY)
_COLUMNS = tl.constexpr(rendered_columns.COLUMNS)


@triton.jit
def _times(a, b):
    return a * b


@triton.jit
def _vector(base, i, stride_n, stride_k, mask):
    at = base + i * stride_n
    x, y = tl.load(at, mask, other=0.0), tl.load(at + stride_k, mask, other=0.0)
    return x, y, tl.load(at + 2 * stride_k, mask, other=0.0)


@triton.jit
def _three(at, stride):
    return tl.load(at), tl.load(at + stride), tl.load(at + 2 * stride)


@triton.jit
def _store_three(at, x, y, z):
    tl.store(at, x)
    tl.store(at + 1, y)
    tl.store(at + 2, z)


@triton.jit
def _product(values, cotangents, stride):
    k = tl.arange(0, _COLUMNS)
    return tl.sum(tl.load(values + k) * tl.load(cotangents + k * stride))


@triton.jit
def _used(firsts, counts, rays):
    """Count the samples of all rays."""
    # The last ray's samples end where all end.
    used = 0
    if rays > 0:
        used = (tl.load(firsts + rays - 1) + tl.load(counts + rays - 1)).to(tl.int32)
    return used


@triton.jit
def _store_vector(base, i, stride_n, stride_k, x, y, z, mask):
    at = base + i * stride_n
    tl.store(at, x, mask)
    tl.store(at + stride_k, y, mask)
    tl.store(at + 2 * stride_k, z, mask)


@triton.jit
def _opacity(sdf, gx, gy, gz, dx, dy, dz, dt, inv_s, anneal):
    """Return what an interval lets through by NeuS, eq. 13, and what its derivative needs."""
    # The normal is the unit gradient: one whose length is not 1 yet must not steepen the alpha.
    length = tl.sqrt(gx * gx + gy * gy + gz * gz)
    inverse = 1.0 / tl.maximum(length, _SHORTEST)
    nx, ny, nz = gx * inverse, gy * inverse, gz * inverse
    cosine = dx * nx + dy * ny + dz * nz
    # At first half of the cosine, which also turns surfaces that look away; later the exact one.
    slope = -(
        tl.maximum(0.5 - 0.5 * cosine, 0.0) * (1.0 - anneal) + tl.maximum(-cosine, 0.0) * anneal
    )
    # The distance at both ends of the interval, along the tangent at its middle.
    half_step = 0.5 * slope * dt
    near, far = tl.sigmoid((sdf - half_step) * inv_s), tl.sigmoid((sdf + half_step) * inv_s)
    # 1 - alpha, without the cancellation of that difference.
    clear = tl.minimum(far / (near + _EPSILON), 1.0)
    return nx, ny, nz, length, inverse, cosine, half_step, near, far, clear


@triton.jit
def _opacity_backward(
    d_alpha, sdf, cosine, half_step, near, far, dt, inv_s, anneal, steep, DENSITY: tl.constexpr
):
    """Return cotangents of the distance, or the output of a density, of cosine and sharpness."""
    # alpha = 1 - far / (near + epsilon), with near and far sigmoids: their slopes are s (1 - s).
    floor = near + _EPSILON
    d_near = d_alpha * far / (floor * floor) * near * (1.0 - near)
    d_far = -d_alpha / floor * far * (1.0 - far)
    d_slope = 0.5 * dt * inv_s * (d_far - d_near)
    # Derivatives of both maxima of `_opacity`.
    facing = tl.where(cosine < 1.0, 0.5 * (1.0 - anneal), 0.0)
    d_cosine = d_slope * (facing + tl.where(cosine < 0.0, anneal, 0.0))
    d_inv_s = d_near * (sdf - half_step) + d_far * (sdf + half_step)
    d_sdf = inv_s * (d_near + d_far)
    if DENSITY:
        d_sdf, d_cosine, d_inv_s = -d_alpha * steep, 0.0 * d_cosine, 0.0 * d_inv_s
    return d_sdf, d_cosine, d_inv_s


@triton.jit
def _through(raw, dt, clear, bias, per_m, factor, DENSITY: tl.constexpr):
    """Return what an interval lets through and, for a density, the slope of that by the output, m.

    The slope is bounded as that of `truncated_exp`.
    """
    slope = 0.0 * raw
    if DENSITY:
        # Outputs are distances in scale: a density grows where they fall.
        exponent = bias - raw * per_m
        clear = tl.exp(-tl.exp(exponent) * factor * dt)
        slope = clear * dt * per_m * factor * tl.exp(tl.minimum(exponent, _MOST_EXPONENT))
    return clear, slope


@triton.jit(do_not_specialize=["rays"])
def forward(
    directions, t_starts, t_ends, firsts, counts, sdfs, gradients, colours, inv_s, cos_anneal,
    rendered, rays,
    direction_n, direction_k, gradient_n, gradient_k, rgb_n, rgb_k, bias, per_m, factor,
    DENSITY: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    sharpness, anneal = tl.load(inv_s), tl.load(cos_anneal)
    lane = tl.arange(0, CHUNK)
    for ray in range(tl.program_id(0), rays, tl.num_programs(0)):
        first, count = tl.load(firsts + ray).to(tl.int32), tl.load(counts + ray).to(tl.int32)
        dx, dy, dz = _three(directions + ray * direction_n, direction_k)
        # What reaches the present chunk of what left the camera.
        through = 1.0
        red, green, blue, reach, x, y, z, opacity = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for chunk in range(0, count, CHUNK):
            i, mask = first + chunk + lane, chunk + lane < count
            begin, end = (
                tl.load(t_starts + i, mask, other=0.0),
                tl.load(t_ends + i, mask, other=0.0),
            )
            sdf = tl.load(sdfs + i, mask, other=0.0)
            gx, gy, gz = _vector(gradients, i, gradient_n, gradient_k, mask)
            nx, ny, nz, _, _, _, _, _, _, clear = _opacity(
                sdf, gx, gy, gz, dx, dy, dz, end - begin, sharpness, anneal
            )
            clear, _ = _through(sdf, end - begin, clear, bias, per_m, factor, DENSITY)
            # What a chunk lets through before each sample is a running product; the division takes
            # the sample's own share out of it again, which the scan includes.
            alpha = tl.where(mask, 1.0 - clear, 0.0)
            clear = tl.where(mask, tl.maximum(clear, _LEAST_CLEAR), 1.0)
            weight = alpha * through * tl.associative_scan(clear, 0, _times) / clear
            through *= tl.reduce(clear, 0, _times)
            r, g, b = _vector(colours, i, rgb_n, rgb_k, mask)
            red += tl.sum(weight * r)
            green += tl.sum(weight * g)
            blue += tl.sum(weight * b)
            reach += tl.sum(weight * 0.5 * (begin + end))
            x += tl.sum(weight * nx)
            y += tl.sum(weight * ny)
            z += tl.sum(weight * nz)
            opacity += tl.sum(weight)
        out = rendered + ray * _COLUMNS
        _store_three(out + _COLOUR, red, green, blue)
        tl.store(out + _RANGE, reach)
        _store_three(out + _NORMAL, x, y, z)
        tl.store(out + _OPACITY, opacity)


@triton.jit(do_not_specialize=["rays"])
def backward(
    directions, t_starts, t_ends, firsts, counts, sdfs, gradients, colours, inv_s, cos_anneal,
    rendered, d_rendered,
    d_sdfs, d_gradients, d_colours, d_inv_s, eikonal_scale, eikonal_sum, rays, n,
    direction_n, direction_k, gradient_n, gradient_k, rgb_n, rgb_k,
    d_gradient_n, d_gradient_k, d_rgb_n, d_rgb_k, d_rendered_n, d_rendered_k, bias, per_m, factor,
    DENSITY: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Write cotangents, front to back.

    What lies behind a sample is the ray's total less what came before it, so no second walk from
    the far end is needed.
    """
    sharpness, anneal = tl.load(inv_s), tl.load(cos_anneal)
    lane = tl.arange(0, CHUNK)
    d_sharpness, eikonal = tl.zeros((CHUNK,), tl.float32), tl.zeros((CHUNK,), tl.float32)
    used = _used(firsts, counts, rays)
    for ray in range(tl.program_id(0), rays, tl.num_programs(0)):
        first, count = tl.load(firsts + ray).to(tl.int32), tl.load(counts + ray).to(tl.int32)
        # Gaps between rays are padding of the budget.
        after = used
        if ray + 1 < rays:
            after = tl.load(firsts + ray + 1).to(tl.int32)
        dx, dy, dz = _three(directions + ray * direction_n, direction_k)
        at = d_rendered + ray * d_rendered_n
        # All that the ray's colour, range, normal and opacity say to its samples, weighted as
        # they are.
        behind = _product(rendered + ray * _COLUMNS, at, d_rendered_k)
        d_r, d_g, d_b = _three(at + _COLOUR * d_rendered_k, d_rendered_k)
        d_x, d_y, d_z = _three(at + _NORMAL * d_rendered_k, d_rendered_k)
        d_reach, d_opacity = (
            tl.load(at + _RANGE * d_rendered_k),
            tl.load(at + _OPACITY * d_rendered_k),
        )
        through = 1.0
        # Up to the next ray's first sample: what lies between is written too, as zeros.
        for chunk in range(0, after - first, CHUNK):
            i, stored = first + chunk + lane, chunk + lane < after - first
            mask = chunk + lane < count
            begin, end = (
                tl.load(t_starts + i, mask, other=0.0),
                tl.load(t_ends + i, mask, other=0.0),
            )
            sdf = tl.load(sdfs + i, mask, other=0.0)
            gx, gy, gz = _vector(gradients, i, gradient_n, gradient_k, mask)
            nx, ny, nz, length, inverse, cosine, half_step, near, far, exact = _opacity(
                sdf, gx, gy, gz, dx, dy, dz, end - begin, sharpness, anneal
            )
            exact, steep = _through(sdf, end - begin, exact, bias, per_m, factor, DENSITY)
            clear = tl.where(mask, tl.maximum(exact, _LEAST_CLEAR), 1.0)
            before = through * tl.associative_scan(clear, 0, _times) / clear
            through *= tl.reduce(clear, 0, _times)
            # As in `forward`, with which it must agree to the last factor.
            weight = before * tl.where(mask, 1.0 - exact, 0.0)
            r, g, b = _vector(colours, i, rgb_n, rgb_k, mask)
            d_middle = d_reach * 0.5 * (begin + end) + d_x * nx + d_y * ny + d_z * nz
            d_weight = d_r * r + d_g * g + d_b * b + d_middle + d_opacity
            share = weight * d_weight
            rest = behind - tl.cumsum(share, 0)
            behind -= tl.sum(share)
            # Every farther sample has this one's `clear` as a factor, so that the sum of their
            # shares over it is the derivative; where it was bounded, it is a constant.
            d_clear = tl.where(exact > _LEAST_CLEAR, rest / clear, 0.0)
            d_alpha = tl.where(mask, before * d_weight - d_clear, 0.0)
            d_sdf, d_cosine, d_sharp = _opacity_backward(
                d_alpha, sdf, cosine, half_step, near, far, end - begin, sharpness, anneal, steep,
                DENSITY,
            )  # fmt: skip
            d_sharpness += d_sharp
            tx, ty, tz = unit_backward(
                nx, ny, nz, inverse, d_cosine * dx + weight * d_x, d_cosine * dy + weight * d_y,
                d_cosine * dz + weight * d_z,
            )  # fmt: skip
            if eikonal_scale is not None:
                # The eikonal loss of a sample, (|gradient| - 1)^2, needs what is in registers
                # here anyway.
                pull = tl.where(mask, 2.0 * tl.load(eikonal_scale) * (length - 1.0), 0.0)
                tx, ty, tz = tx + pull * nx, ty + pull * ny, tz + pull * nz
            eikonal += tl.where(mask, (length - 1.0) * (length - 1.0), 0.0)
            tl.store(d_sdfs + i, d_sdf, stored)
            _store_vector(d_gradients, i, d_gradient_n, d_gradient_k, tx, ty, tz, stored)
            _store_vector(
                d_colours, i, d_rgb_n, d_rgb_k, weight * d_r, weight * d_g, weight * d_b, stored
            )
    # One addition a program, not a ray: all go to the same address.
    tl.atomic_add(d_inv_s, tl.sum(d_sharpness), sem="relaxed")
    if eikonal_sum is not None:
        tl.atomic_add(eikonal_sum, tl.sum(eikonal), sem="relaxed")
    _zero_padding(
        d_sdfs, d_gradients, d_colours, used, n,
        d_gradient_n, d_gradient_k, d_rgb_n, d_rgb_k, CHUNK,
    )  # fmt: skip


@triton.jit
def _zero_padding(
    d_sdfs, d_gradients, d_colours, used, n,
    d_gradient_n, d_gradient_k, d_rgb_n, d_rgb_k, CHUNK: tl.constexpr,
):  # fmt: skip
    # Behind the last ray: the next stage reads the whole budget.
    lane = tl.arange(0, CHUNK)
    zero = tl.zeros((CHUNK,), tl.float32)
    for chunk in range(used + tl.program_id(0) * CHUNK, n, tl.num_programs(0) * CHUNK):
        i, stored = chunk + lane, chunk + lane < n
        tl.store(d_sdfs + i, zero, stored)
        _store_vector(d_gradients, i, d_gradient_n, d_gradient_k, zero, zero, zero, stored)
        _store_vector(d_colours, i, d_rgb_n, d_rgb_k, zero, zero, zero, stored)
