# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""NeuS opacity and compositing along packed rays for NVIDIA GPUs, in Triton: a warp takes a ray.

The results are those of `composite_torch` put together as in `rendering.volume.render_rays`.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from ineus_core.types import FieldOutput, RaySamples

_EPSILON = tl.constexpr(1e-5)
_LEAST_CLEAR = tl.constexpr(1e-7)
_CHUNK = 64
_RAY_PROGRAMS = 132 * 24


def composite(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
) -> Float[Tensor, "rays 8"]:
    """Colour (3), range, normal (3) and opacity of each ray; differentiable in `output` and `inv_s`."""
    return _Composite.apply(
        directions, samples, output.sdf, output.gradient, output.rgb, inv_s, cos_anneal
    )


def composite_forward(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    rendered: Float[Tensor, "rays 8"],
) -> None:
    """Write colour (3), range, normal (3) and opacity of each ray into a buffer; allocates nothing."""
    rays = len(directions)
    if rays == 0:
        return
    _forward[(min(rays, _RAY_PROGRAMS),)](
        directions, samples.t_starts, samples.t_ends, samples.first, samples.count,
        output.sdf, output.gradient, output.rgb, inv_s, cos_anneal, rendered, rays,
        *directions.stride(), *output.gradient.stride(), *output.rgb.stride(),
        CHUNK=_CHUNK, num_warps=1,
    )  # fmt: skip


def composite_backward(
    directions: Float[Tensor, "rays 3"],
    samples: RaySamples,
    output: FieldOutput,
    inv_s: Float[Tensor, ""],
    cos_anneal: Float[Tensor, ""],
    rendered: Float[Tensor, "rays 8"],
    d_rendered: Float[Tensor, "rays 8"],
    d_output: FieldOutput,
    d_inv_s: Float[Tensor, ""],
    eikonal_scale: Float[Tensor, ""] | None = None,
    eikonal_sum: Float[Tensor, ""] | None = None,
) -> None:
    """Write `d_output`, zero in the padding, and add to `d_inv_s`; allocates nothing.

    Args:
        eikonal_scale: If given, the gradient of this times the sum of (|gradient| - 1)^2 over all samples is added.
        eikonal_sum: That sum is added here.
    """
    rays, n = len(directions), len(output.sdf)
    if n == 0:
        return
    _backward[(max(1, min(rays, _RAY_PROGRAMS)),)](
        directions, samples.t_starts, samples.t_ends, samples.first, samples.count,
        output.sdf, output.gradient, output.rgb, inv_s, cos_anneal, rendered, d_rendered,
        d_output.sdf, d_output.gradient, d_output.rgb, d_inv_s, eikonal_scale, eikonal_sum, rays, n,
        *directions.stride(), *output.gradient.stride(), *output.rgb.stride(),
        *d_output.gradient.stride(), *d_output.rgb.stride(), *d_rendered.stride(),
        CHUNK=_CHUNK, num_warps=1,
    )  # fmt: skip


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, directions, samples, sdf, gradient, rgb, inv_s, cos_anneal):  # type: ignore[no-untyped-def]
        rendered = directions.new_empty((len(directions), 8))
        output = FieldOutput(sdf, gradient, rgb)
        composite_forward(directions, samples, output, inv_s, cos_anneal, rendered)
        ctx.save_for_backward(directions, sdf, gradient, rgb, inv_s, cos_anneal, rendered)
        ctx.samples = samples
        return rendered

    @staticmethod
    def backward(ctx, d_rendered):  # type: ignore[no-untyped-def]
        directions, sdf, gradient, rgb, inv_s, cos_anneal, rendered = ctx.saved_tensors
        d_output = FieldOutput(
            torch.empty_like(sdf), torch.empty_like(gradient), torch.empty_like(rgb)
        )
        d_inv_s = torch.zeros_like(inv_s)
        composite_backward(
            directions, ctx.samples, FieldOutput(sdf, gradient, rgb), inv_s, cos_anneal,
            rendered, d_rendered, d_output, d_inv_s,
        )  # fmt: skip
        return None, None, d_output.sdf, d_output.gradient, d_output.rgb, d_inv_s, None


@triton.jit
def _times(a, b):
    return a * b


@triton.jit
def _vector(base, i, stride_n, stride_k, mask):
    at = base + i * stride_n
    x, y = tl.load(at, mask, other=0.0), tl.load(at + stride_k, mask, other=0.0)
    return x, y, tl.load(at + 2 * stride_k, mask, other=0.0)


@triton.jit
def _store_vector(base, i, stride_n, stride_k, x, y, z, mask):
    at = base + i * stride_n
    tl.store(at, x, mask)
    tl.store(at + stride_k, y, mask)
    tl.store(at + 2 * stride_k, z, mask)


@triton.jit
def _opacity(sdf, gx, gy, gz, dx, dy, dz, dt, inv_s, anneal):
    """NeuS eq. 13 and what its derivative needs."""
    length = tl.sqrt(gx * gx + gy * gy + gz * gz)
    inverse = 1.0 / tl.maximum(length, 1e-6)
    nx, ny, nz = gx * inverse, gy * inverse, gz * inverse
    cosine = dx * nx + dy * ny + dz * nz
    slope = -(tl.maximum(0.5 - 0.5 * cosine, 0.0) * (1.0 - anneal) + tl.maximum(-cosine, 0.0) * anneal)
    half_step = 0.5 * slope * dt
    near, far = tl.sigmoid((sdf - half_step) * inv_s), tl.sigmoid((sdf + half_step) * inv_s)
    # 1 - alpha, without the cancellation of that difference.
    clear = tl.minimum(far / (near + _EPSILON), 1.0)
    return nx, ny, nz, length, inverse, cosine, half_step, near, far, clear


@triton.jit
def _forward(
    directions, t_starts, t_ends, firsts, counts, sdfs, gradients, colours, inv_s, cos_anneal, rendered, rays,
    direction_n, direction_k, gradient_n, gradient_k, rgb_n, rgb_k, CHUNK: tl.constexpr,
):  # fmt: skip
    sharpness, anneal = tl.load(inv_s), tl.load(cos_anneal)
    lane = tl.arange(0, CHUNK)
    for ray in range(tl.program_id(0), rays, tl.num_programs(0)):
        first, count = tl.load(firsts + ray).to(tl.int32), tl.load(counts + ray).to(tl.int32)
        at = directions + ray * direction_n
        dx, dy, dz = tl.load(at), tl.load(at + direction_k), tl.load(at + 2 * direction_k)
        through = 1.0
        red, green, blue, reach, x, y, z, opacity = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for chunk in range(0, count, CHUNK):
            i, mask = first + chunk + lane, chunk + lane < count
            begin, end = tl.load(t_starts + i, mask, other=0.0), tl.load(t_ends + i, mask, other=0.0)
            sdf = tl.load(sdfs + i, mask, other=0.0)
            gx, gy, gz = _vector(gradients, i, gradient_n, gradient_k, mask)
            nx, ny, nz, _, _, _, _, _, _, clear = _opacity(
                sdf, gx, gy, gz, dx, dy, dz, end - begin, sharpness, anneal
            )
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
        out = rendered + ray * 8
        tl.store(out, red)
        tl.store(out + 1, green)
        tl.store(out + 2, blue)
        tl.store(out + 3, reach)
        tl.store(out + 4, x)
        tl.store(out + 5, y)
        tl.store(out + 6, z)
        tl.store(out + 7, opacity)


@triton.jit
def _backward(
    directions, t_starts, t_ends, firsts, counts, sdfs, gradients, colours, inv_s, cos_anneal, rendered, d_rendered,
    d_sdfs, d_gradients, d_colours, d_inv_s, eikonal_scale, eikonal_sum, rays, n,
    direction_n, direction_k, gradient_n, gradient_k, rgb_n, rgb_k,
    d_gradient_n, d_gradient_k, d_rgb_n, d_rgb_k, d_rendered_n, d_rendered_k, CHUNK: tl.constexpr,
):  # fmt: skip
    """Front to back: what lies behind a sample is the ray's total less what came before."""
    sharpness, anneal = tl.load(inv_s), tl.load(cos_anneal)
    lane = tl.arange(0, CHUNK)
    d_sharpness, eikonal = tl.zeros((CHUNK,), tl.float32), tl.zeros((CHUNK,), tl.float32)
    eight = tl.arange(0, 8)
    used = 0
    if rays > 0:
        used = (tl.load(firsts + rays - 1) + tl.load(counts + rays - 1)).to(tl.int32)
    for ray in range(tl.program_id(0), rays, tl.num_programs(0)):
        first, count = tl.load(firsts + ray).to(tl.int32), tl.load(counts + ray).to(tl.int32)
        after = used
        if ray + 1 < rays:
            after = tl.load(firsts + ray + 1).to(tl.int32)
        at = directions + ray * direction_n
        dx, dy, dz = tl.load(at), tl.load(at + direction_k), tl.load(at + 2 * direction_k)
        at = d_rendered + ray * d_rendered_n
        behind = tl.sum(tl.load(at + eight * d_rendered_k) * tl.load(rendered + ray * 8 + eight))
        d_r, d_g, d_b = tl.load(at), tl.load(at + d_rendered_k), tl.load(at + 2 * d_rendered_k)
        d_reach, d_x = tl.load(at + 3 * d_rendered_k), tl.load(at + 4 * d_rendered_k)
        d_y, d_z = tl.load(at + 5 * d_rendered_k), tl.load(at + 6 * d_rendered_k)
        d_opacity = tl.load(at + 7 * d_rendered_k)
        through = 1.0
        for chunk in range(0, after - first, CHUNK):
            i, stored, mask = first + chunk + lane, chunk + lane < after - first, chunk + lane < count
            begin, end = tl.load(t_starts + i, mask, other=0.0), tl.load(t_ends + i, mask, other=0.0)
            sdf = tl.load(sdfs + i, mask, other=0.0)
            gx, gy, gz = _vector(gradients, i, gradient_n, gradient_k, mask)
            nx, ny, nz, length, inverse, cosine, half_step, near, far, exact = _opacity(
                sdf, gx, gy, gz, dx, dy, dz, end - begin, sharpness, anneal
            )
            alpha = tl.where(mask, 1.0 - exact, 0.0)
            clear = tl.where(mask, tl.maximum(exact, _LEAST_CLEAR), 1.0)
            before = through * tl.associative_scan(clear, 0, _times) / clear
            through *= tl.reduce(clear, 0, _times)
            weight = alpha * before
            r, g, b = _vector(colours, i, rgb_n, rgb_k, mask)
            d_weight = d_r * r + d_g * g + d_b * b + d_reach * 0.5 * (begin + end) + d_opacity
            d_weight += d_x * nx + d_y * ny + d_z * nz
            share = weight * d_weight
            rest = behind - tl.cumsum(share, 0)
            behind -= tl.sum(share)
            d_alpha = before * d_weight - tl.where(exact > _LEAST_CLEAR, rest / clear, 0.0)
            d_alpha = tl.where(mask, d_alpha, 0.0)
            d_near = d_alpha * far / ((near + _EPSILON) * (near + _EPSILON)) * near * (1.0 - near)
            d_far = -d_alpha / (near + _EPSILON) * far * (1.0 - far)
            d_sharpness += d_near * (sdf - half_step) + d_far * (sdf + half_step)
            d_slope = 0.5 * (end - begin) * sharpness * (d_far - d_near)
            d_cosine = tl.where(cosine < 1.0, 0.5 * (1.0 - anneal), 0.0) + tl.where(cosine < 0.0, anneal, 0.0)
            d_cosine *= d_slope
            tx, ty, tz = d_cosine * dx + weight * d_x, d_cosine * dy + weight * d_y, d_cosine * dz + weight * d_z
            along = tl.where(inverse < 1e6, nx * tx + ny * ty + nz * tz, 0.0)
            tx, ty, tz = inverse * (tx - nx * along), inverse * (ty - ny * along), inverse * (tz - nz * along)
            if eikonal_scale is not None:
                pull = tl.where(mask, 2.0 * tl.load(eikonal_scale) * (length - 1.0), 0.0)
                tx, ty, tz = tx + pull * nx, ty + pull * ny, tz + pull * nz
            eikonal += tl.where(mask, (length - 1.0) * (length - 1.0), 0.0)
            tl.store(d_sdfs + i, sharpness * (d_near + d_far), stored)
            _store_vector(d_gradients, i, d_gradient_n, d_gradient_k, tx, ty, tz, stored)
            _store_vector(d_colours, i, d_rgb_n, d_rgb_k, weight * d_r, weight * d_g, weight * d_b, stored)
    tl.atomic_add(d_inv_s, tl.sum(d_sharpness), sem="relaxed")
    if eikonal_sum is not None:
        tl.atomic_add(eikonal_sum, tl.sum(eikonal), sem="relaxed")
    zero = tl.zeros((CHUNK,), tl.float32)
    for chunk in range(used + tl.program_id(0) * CHUNK, n, tl.num_programs(0) * CHUNK):
        i, stored = chunk + lane, chunk + lane < n
        tl.store(d_sdfs + i, zero, stored)
        _store_vector(d_gradients, i, d_gradient_n, d_gradient_k, zero, zero, zero, stored)
        _store_vector(d_colours, i, d_rgb_n, d_rgb_k, zero, zero, zero, stored)
