# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Device code of `hash_grid.gpu`: a thread takes a point (or a run of points) at one level."""

import triton
import triton.language as tl

from ineus_core.kernels.hash_grid.layout import HASH_PRIMES

_PRIME_Y = tl.constexpr(HASH_PRIMES[1])
_PRIME_Z = tl.constexpr(HASH_PRIMES[2])
_LEVEL_COLUMNS = tl.constexpr(3)
"""Of the table of levels: resolution, first entry, whether it is dense."""
_FIRST_ENTRY = tl.constexpr(1)
_IS_DENSE = tl.constexpr(2)
_MOST_HALF = tl.constexpr(65504.0)
"""The largest number of half precision."""


@triton.jit
def _axis(points, i, mask, stride_n, axis_offset, resolution):
    """Return the cell along one axis and the position in it."""
    # Points a rounding outside of the cube count as on its face, as no entry lies beyond it.
    x = tl.load(points + i * stride_n + axis_offset, mask, other=0.0)
    scaled = tl.minimum(tl.maximum(x, 0.0), 1.0) * resolution.to(tl.float32)
    # The upper faces of the cube belong to the last cell.
    cell = tl.minimum(scaled.to(tl.int32), resolution - 1)
    return cell.to(tl.uint32), scaled - cell.to(tl.float32)


@triton.jit
def _row(ix, iy, iz, resolution, dense, MASK: tl.constexpr):
    """Return the row of a corner within its level."""
    # Both orders are computed and one is chosen, as cheap as a branch: which one is known only at
    # run time.
    stride = (resolution + 1).to(tl.uint32)
    flat = ix + iy * stride + iz * (stride * stride)
    mixed = (ix ^ (iy * _PRIME_Y) ^ (iz * _PRIME_Z)) & MASK
    return tl.where(dense != 0, flat, mixed).to(tl.int32)


@triton.jit
def _unpack(word):
    """Return the two float16 of a 32-bit word, as float32."""
    low = (word & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)
    high = ((word >> 16) & 0xFFFF).to(tl.uint16).to(tl.float16, bitcast=True)
    return low.to(tl.float32), high.to(tl.float32)


@triton.jit
def _gather_pair(level_table, near, far, mask, HALF: tl.constexpr):
    """Return both features of the two corners that differ in x."""
    if HALF:
        # The primes of y and z are odd, that of x is 1 (instant-ngp, eq. 4): x changes the last
        # bit alone.
        # With an even x the two rows share an aligned pair, in the dense and in the hashed order
        # alike: one gather serves both corners.
        shared = far == (near ^ 1)
        pair = tl.load(level_table.to(tl.pointer_type(tl.int64)) + (near >> 1), mask, other=0)
        even, odd = pair.to(tl.int32), (pair >> 32).to(tl.int32)
        own = tl.where((near & 1) == 0, even, odd)
        other = tl.where((near & 1) == 0, odd, even)
        words = level_table.to(tl.pointer_type(tl.int32))
        alone = tl.load(words + far, mask & (far != (near ^ 1)), other=0)
        a0, a1 = _unpack(own)
        b0, b1 = _unpack(tl.where(shared, other, alone))
    else:
        a0 = tl.load(level_table + 2 * near, mask, other=0.0)
        a1 = tl.load(level_table + 2 * near + 1, mask, other=0.0)
        b0 = tl.load(level_table + 2 * far, mask, other=0.0)
        b1 = tl.load(level_table + 2 * far + 1, mask, other=0.0)
    return a0, a1, b0, b1


@triton.jit
def _interpolate(a, b, c, d, da, db, dc, dd, u, v, w, slope):
    """Return value and derivatives; a to d are at x 0 and (y, z) 00 10 01 11, da to dd along x."""
    near_low, far_low = a + u * da, b + u * db
    near_high, far_high = c + u * dc, d + u * dd
    dy_low, dy_high = far_low - near_low, far_high - near_high
    low, high = near_low + v * dy_low, near_high + v * dy_high
    dx_low, dx_high = da + v * (db - da), dc + v * (dd - dc)
    dx = slope * (dx_low + w * (dx_high - dx_low))
    dy = slope * (dy_low + w * (dy_high - dy_low))
    return low + w * (high - low), dx, dy, slope * (high - low)


@triton.jit
def _store_slope(out, x, y, z, stride_k, mask):
    # Cells of 2 mm in a cube of 64 m are 32,000: features that differ by two would be infinite.
    if out.dtype.element_ty == tl.float16:
        x, y, z = _in_half(x), _in_half(y), _in_half(z)
    tl.store(out, x, mask)
    tl.store(out + stride_k, y, mask)
    tl.store(out + 2 * stride_k, z, mask)


@triton.jit
def _in_half(x):
    return tl.minimum(tl.maximum(x, -_MOST_HALF), _MOST_HALF)


@triton.jit
def forward(
    points, table, features, jacobian, level_table, limit, n,
    point_n, point_k, feature_n, feature_c, jacobian_n, jacobian_c, jacobian_k,
    MASK: tl.constexpr, HALF: tl.constexpr, WITH_JACOBIAN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    level = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    stored = i < n
    mask = stored
    # The limit is on the device, so that a captured graph follows the number of samples.
    if limit is not None:
        mask = i < tl.minimum(tl.load(limit).to(tl.int32), n)
    # Offsets of the Jacobian pass 2^31 at 22 million points of 32 channels.
    i = i.to(tl.int64)
    # The level is the outer axis of the launch, so that programs that run together share the
    # entries of one level in the cache.
    resolution = tl.load(level_table + level * _LEVEL_COLUMNS)
    level_rows = table + 2 * tl.load(level_table + level * _LEVEL_COLUMNS + _FIRST_ENTRY)
    dense = tl.load(level_table + level * _LEVEL_COLUMNS + _IS_DENSE)
    ix, u = _axis(points, i, mask, point_n, 0, resolution)
    iy, v = _axis(points, i, mask, point_n, point_k, resolution)
    iz, w = _axis(points, i, mask, point_n, 2 * point_k, resolution)
    near = _row(ix, iy, iz, resolution, dense, MASK)
    far = _row(ix + 1, iy, iz, resolution, dense, MASK)
    a0, a1, da0, da1 = _gather_pair(level_rows, near, far, mask, HALF)
    near = _row(ix, iy + 1, iz, resolution, dense, MASK)
    far = _row(ix + 1, iy + 1, iz, resolution, dense, MASK)
    b0, b1, db0, db1 = _gather_pair(level_rows, near, far, mask, HALF)
    near = _row(ix, iy, iz + 1, resolution, dense, MASK)
    far = _row(ix + 1, iy, iz + 1, resolution, dense, MASK)
    c0, c1, dc0, dc1 = _gather_pair(level_rows, near, far, mask, HALF)
    near = _row(ix, iy + 1, iz + 1, resolution, dense, MASK)
    far = _row(ix + 1, iy + 1, iz + 1, resolution, dense, MASK)
    d0, d1, dd0, dd1 = _gather_pair(level_rows, near, far, mask, HALF)
    # Interpolation counts in cells; per unit of the cube a derivative is steeper by their number.
    slope = resolution.to(tl.float32)
    f0, x0, y0, z0 = _interpolate(
        a0, b0, c0, d0, da0 - a0, db0 - b0, dc0 - c0, dd0 - d0, u, v, w, slope
    )
    f1, x1, y1, z1 = _interpolate(
        a1, b1, c1, d1, da1 - a1, db1 - b1, dc1 - c1, dd1 - d1, u, v, w, slope
    )
    out = features + (2 * level).to(tl.int64) * feature_c + i * feature_n
    # Padding gets features too, of whatever was read as 0: stages behind it read all rows.
    tl.store(out, f0, stored)
    tl.store(out + feature_c, f1, stored)
    if WITH_JACOBIAN:
        out = jacobian + (2 * level).to(tl.int64) * jacobian_c + i * jacobian_n
        _store_slope(out, x0, y0, z0, jacobian_k, stored)
        _store_slope(out + jacobian_c, x1, y1, z1, jacobian_k, stored)


@triton.jit
def backward(
    points, d_features, jacobian_or_slope, d_direction, d_table, level_table, n, first_level,
    point_n, point_k, feature_n, feature_c, jacobian_n, jacobian_c, jacobian_k, direction_n,
    direction_k, scale,
    MASK: tl.constexpr, OUTER: tl.constexpr, VECTOR: tl.constexpr, RUN: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Scatter to the corners; a run of points in one cell is summed before it is added.

    Additions to one address wait for each other, and on coarse levels most points share cells.
    """
    level = first_level + tl.program_id(1)
    resolution = tl.load(level_table + level * _LEVEL_COLUMNS)
    rows = d_table + 2 * tl.load(level_table + level * _LEVEL_COLUMNS + _FIRST_ENTRY)
    dense = tl.load(level_table + level * _LEVEL_COLUMNS + _IS_DENSE)
    channel = (2 * level).to(tl.int64)
    features = d_features + channel * feature_c
    slopes = jacobian_or_slope + channel * jacobian_c
    # Neighbours in memory are samples of one ray: a thread that takes a run of them in turn meets
    # a cell several times and adds it once.
    first = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)) * RUN
    hx, hy, hz = first.to(tl.uint32), first.to(tl.uint32), first.to(tl.uint32)
    # No cell is held yet; the comparison gives a vector of False of the right shape.
    held = first < 0
    # Sixteen scalars instead of an array: Triton has no arrays in registers that a loop may index.
    zero = tl.zeros((BLOCK,), tl.float32)
    # Corner sums: letter = (y, z) corner, near or far in x, feature.
    an0, an1, af0, af1, bn0, bn1, bf0, bf1 = zero, zero, zero, zero, zero, zero, zero, zero
    cn0, cn1, cf0, cf1, dn0, dn1, df0, df1 = zero, zero, zero, zero, zero, zero, zero, zero
    for step in range(RUN):
        mask = first + step < n
        i = (first + step).to(tl.int64)
        ix, u = _axis(points, i, mask, point_n, 0, resolution)
        iy, v = _axis(points, i, mask, point_n, point_k, resolution)
        iz, w = _axis(points, i, mask, point_n, 2 * point_k, resolution)
        g0, g1, x0, y0, z0, x1, y1, z1 = _cotangents(
            features + i * feature_n, slopes + i * jacobian_n, d_direction + i * direction_n, mask,
            feature_c, jacobian_c, jacobian_k, direction_k, scale * resolution.to(tl.float32),
            OUTER,
        )  # fmt: skip
        zero_value = (g0 == 0.0) & (g1 == 0.0)
        zero_slope = (
            (x0 == 0.0) & (y0 == 0.0) & (z0 == 0.0) & (x1 == 0.0) & (y1 == 0.0) & (z1 == 0.0)
        )
        # Padding carries zeros; adding them would queue up at one address.
        live = mask & ((zero_value & zero_slope) == 0)
        # A run of one point never leaves a cell before its end.
        if RUN > 1:
            moved = live & held & ((ix != hx) | (iy != hy) | (iz != hz))
            _add_cell(
                rows, hx, hy, hz, resolution, dense, moved, an0, an1, af0, af1, bn0, bn1, bf0, bf1,
                cn0, cn1, cf0, cf1, dn0, dn1, df0, df1, MASK, VECTOR,
            )  # fmt: skip
            # The sums of the cell that was left are in memory: those of the next begin at 0.
            keep = tl.where(moved, 0.0, 1.0)
            an0, an1, af0, af1 = an0 * keep, an1 * keep, af0 * keep, af1 * keep
            bn0, bn1, bf0, bf1 = bn0 * keep, bn1 * keep, bf0 * keep, bf1 * keep
            cn0, cn1, cf0, cf1 = cn0 * keep, cn1 * keep, cf0 * keep, cf1 * keep
            dn0, dn1, df0, df1 = dn0 * keep, dn1 * keep, df0 * keep, df1 * keep
        hx, hy, hz = tl.where(live, ix, hx), tl.where(live, iy, hy), tl.where(live, iz, hz)
        held = held | live
        # A corner's share of the value is a product of one weight an axis; its share of a
        # derivative has the slope, +1 or -1, in place of the weight along that axis.
        p, q = 1.0 - v, 1.0 - w
        an0, af0 = _along_x(an0, af0, u, p * q * g0 - q * y0 - p * z0, p * q * x0)
        an1, af1 = _along_x(an1, af1, u, p * q * g1 - q * y1 - p * z1, p * q * x1)
        bn0, bf0 = _along_x(bn0, bf0, u, v * q * g0 + q * y0 - v * z0, v * q * x0)
        bn1, bf1 = _along_x(bn1, bf1, u, v * q * g1 + q * y1 - v * z1, v * q * x1)
        cn0, cf0 = _along_x(cn0, cf0, u, p * w * g0 - w * y0 + p * z0, p * w * x0)
        cn1, cf1 = _along_x(cn1, cf1, u, p * w * g1 - w * y1 + p * z1, p * w * x1)
        dn0, df0 = _along_x(dn0, df0, u, v * w * g0 + w * y0 + v * z0, v * w * x0)
        dn1, df1 = _along_x(dn1, df1, u, v * w * g1 + w * y1 + v * z1, v * w * x1)
    _add_cell(
        rows, hx, hy, hz, resolution, dense, held, an0, an1, af0, af1, bn0, bn1, bf0, bf1,
        cn0, cn1, cf0, cf1, dn0, dn1, df0, df1, MASK, VECTOR,
    )  # fmt: skip


@triton.jit
def _cotangents(
    features, slopes, directions, mask, feature_c, jacobian_c, jacobian_k, direction_k, scale,
    OUTER: tl.constexpr,
):  # fmt: skip
    """Return those of the value and, times resolution, of its derivatives, of both features."""
    g0 = tl.load(features, mask, other=0.0).to(tl.float32)
    g1 = tl.load(features + feature_c, mask, other=0.0).to(tl.float32)
    # The cotangent of the Jacobian is an outer product: read as its two factors, a third of the
    # memory.
    if OUTER:
        s0 = scale * tl.load(slopes, mask, other=0.0).to(tl.float32)
        s1 = scale * tl.load(slopes + jacobian_c, mask, other=0.0).to(tl.float32)
        px = tl.load(directions, mask, other=0.0).to(tl.float32)
        py = tl.load(directions + direction_k, mask, other=0.0).to(tl.float32)
        pz = tl.load(directions + 2 * direction_k, mask, other=0.0).to(tl.float32)
        x0, y0, z0, x1, y1, z1 = s0 * px, s0 * py, s0 * pz, s1 * px, s1 * py, s1 * pz
    else:
        x0 = scale * tl.load(slopes, mask, other=0.0).to(tl.float32)
        y0 = scale * tl.load(slopes + jacobian_k, mask, other=0.0).to(tl.float32)
        z0 = scale * tl.load(slopes + 2 * jacobian_k, mask, other=0.0).to(tl.float32)
        slopes += jacobian_c
        x1 = scale * tl.load(slopes, mask, other=0.0).to(tl.float32)
        y1 = scale * tl.load(slopes + jacobian_k, mask, other=0.0).to(tl.float32)
        z1 = scale * tl.load(slopes + 2 * jacobian_k, mask, other=0.0).to(tl.float32)
    return g0, g1, x0, y0, z0, x1, y1, z1


@triton.jit
def _along_x(near, far, u, value, slope):
    """Share a cotangent out between the corners at both ends of x."""
    return near + (1.0 - u) * value - slope, far + u * value + slope


@triton.jit
def _add_cell(
    rows, ix, iy, iz, resolution, dense, mask, an0, an1, af0, af1, bn0, bn1, bf0, bf1,
    cn0, cn1, cf0, cf1, dn0, dn1, df0, df1, MASK: tl.constexpr, VECTOR: tl.constexpr,
):  # fmt: skip
    # Rows are computed again rather than kept over the run: eight of them would take registers.
    near = _row(ix, iy, iz, resolution, dense, MASK)
    far = _row(ix + 1, iy, iz, resolution, dense, MASK)
    _add_pair(rows, near, far, mask, an0, an1, af0, af1, VECTOR)
    near = _row(ix, iy + 1, iz, resolution, dense, MASK)
    far = _row(ix + 1, iy + 1, iz, resolution, dense, MASK)
    _add_pair(rows, near, far, mask, bn0, bn1, bf0, bf1, VECTOR)
    near = _row(ix, iy, iz + 1, resolution, dense, MASK)
    far = _row(ix + 1, iy, iz + 1, resolution, dense, MASK)
    _add_pair(rows, near, far, mask, cn0, cn1, cf0, cf1, VECTOR)
    near = _row(ix, iy + 1, iz + 1, resolution, dense, MASK)
    far = _row(ix + 1, iy + 1, iz + 1, resolution, dense, MASK)
    _add_pair(rows, near, far, mask, dn0, dn1, df0, df1, VECTOR)


@triton.jit
def _add_pair(rows, near, far, mask, n0, n1, f0, f1, VECTOR: tl.constexpr):
    """Add to the two corners that differ in x, at once where their rows share an aligned pair."""
    if VECTOR:
        # One reduction instead of two where the rows of both corners are an aligned pair.
        shared = mask & (far == (near ^ 1))
        alone = mask & (far != (near ^ 1))
        # The pair begins with the even row, which may be that of the far corner.
        swap = shared & ((near & 1) != 0)
        first = (rows + 2 * tl.where(swap, far, near)).to(tl.int64)
        second = (rows + 2 * tl.where(swap, near, far)).to(tl.int64)
        tl.inline_asm_elementwise(
            """{
            .reg .pred %pair, %one;
            setp.ne.s32 %pair, $1, 0;
            setp.ne.s32 %one, $2, 0;
            @%pair red.relaxed.gpu.global.add.v4.f32 [$3], {$5, $6, $7, $8};
            @%one red.relaxed.gpu.global.add.v2.f32 [$3], {$5, $6};
            @%one red.relaxed.gpu.global.add.v2.f32 [$4], {$7, $8};
            mov.u32 $0, 0;
            }""",
            "=r,r,r,l,l,r,r,r,r",
            [
                shared.to(tl.int32), alone.to(tl.int32), first, second,
                tl.where(swap, f0, n0), tl.where(swap, f1, n1),
                tl.where(swap, n0, f0), tl.where(swap, n1, f1),
            ],
            dtype=tl.int32, is_pure=False, pack=1,
        )  # fmt: skip
    else:
        # The order of additions does not matter, only that none is lost.
        tl.atomic_add(rows + 2 * near, n0, mask, sem="relaxed")
        tl.atomic_add(rows + 2 * near + 1, n1, mask, sem="relaxed")
        tl.atomic_add(rows + 2 * far, f0, mask, sem="relaxed")
        tl.atomic_add(rows + 2 * far + 1, f1, mask, sem="relaxed")
