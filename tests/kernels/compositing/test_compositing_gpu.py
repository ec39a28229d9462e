# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Triton marching and compositing against the torch twins."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ineus_core.fields.networks import truncated_exp
from ineus_core.kernels.compositing import reference
from ineus_core.kernels.compositing.reference import (
    accumulate,
    density_alpha,
    transmittance_weights,
)
from ineus_core.kernels.ray_marching.reference import march_packed as march_torch
from ineus_core.types import FieldOutput, RaySamples, RenderedRays

pytestmark = pytest.mark.gpu

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.1, 1.2))


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def scene(rays: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(rays)
    origins = 3 * normalize(torch.randn((rays, 3), device="cuda"), dim=1)
    directions = normalize(0.6 * torch.randn((rays, 3), device="cuda") - origins, dim=1)
    occupied = torch.rand((9, 8, 7), device="cuda") < 0.4
    aabb = torch.tensor(BOX, device="cuda")
    return origins, directions, occupied, aabb, torch.rand(rays, device="cuda")


def composite_torch(
    directions: Tensor, samples: RaySamples, output: FieldOutput, inv_s: Tensor, anneal: Tensor
) -> Tensor:
    return together(reference.render_rays(directions, samples, output, inv_s, anneal))


def together(rendered: RenderedRays) -> Tensor:
    """Return colour, range, normal and opacity side by side."""
    parts = (rendered.rgb, rendered.range_m[:, None], rendered.normal, rendered.opacity[:, None])
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize(
    ("rays", "budget"), [(0, 40), (1, 50), (37, 700), (37, 300), (5000, 60000)]
)
def test_march_matches_torch(rays: int, budget: int) -> None:
    from ineus_core.kernels.ray_marching.gpu import march_packed_into, sample_buffers

    origins, directions, occupied, aabb, jitter = scene(rays)
    expected = march_torch(origins, directions, occupied, aabb, 0.05, 64, budget, jitter)
    samples = sample_buffers(rays, budget, origins.device)
    for buffer in vars(samples).values():
        buffer.fill_(77)
    total = torch.tensor(-1, dtype=torch.int32, device="cuda")
    points = torch.full((budget, 3), torch.nan, device="cuda")
    cube = torch.tensor([-1.0, -1.0, -1.0, 2.3], device="cuda")
    march_packed_into(
        origins, directions, occupied, aabb, 0.05, 64, jitter, samples, total, None, points, cube
    )
    assert int(total) == int(expected.count.sum())
    # Rounding may put a point on the other side of a cell's face; the test's rays have none there.
    for name in ("ray_index", "valid", "first", "count"):
        assert torch.equal(getattr(samples, name).long(), getattr(expected, name).long()), name
    assert torch.allclose(samples.t_starts, expected.t_starts, atol=1e-5)
    assert torch.allclose(samples.t_ends, expected.t_ends, atol=1e-5)
    if rays:
        t = 0.5 * (expected.t_starts + expected.t_ends)[:, None]
        world = origins[expected.ray_index] + t * directions[expected.ray_index]
        unit = torch.where(expected.valid[:, None], (world - aabb[0]) / 2.3, 0.0)
        assert torch.allclose(points, unit, atol=1e-5)


def test_rays_behind_the_limit_get_nothing() -> None:
    from ineus_core.kernels.ray_marching.gpu import march_packed_into, sample_buffers

    origins, directions, occupied, aabb, jitter = scene(64)
    samples = sample_buffers(64, 4000, origins.device)
    limit, placed = (torch.tensor(n, dtype=torch.int32, device="cuda") for n in (20, -1))
    march = (origins, directions, occupied, aabb, 0.05, 64, jitter)
    march_packed_into(*march, samples, ray_limit=limit, placed=placed)
    assert int(samples.count[:20].sum()) == int(samples.valid.sum()) > 0
    assert (samples.count[20:] == 0).all()
    assert int(placed) == 20
    # Half of what these rays need: those behind the first that does not fit are not placed.
    wanted = samples.count.cumsum(0)
    few = sample_buffers(64, int(wanted[19]) // 2, origins.device)
    march_packed_into(*march, few, ray_limit=limit, placed=placed)
    assert int(placed) == int((wanted <= int(wanted[19]) // 2).sum()) < 20


@pytest.mark.parametrize("anneal", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("rays", "budget", "inv_s"), [(1, 50, 20.0), (37, 700, 300.0), (3000, 60000, 20.0)]
)
def test_composite_matches_torch(rays: int, budget: int, inv_s: float, anneal: float) -> None:
    from ineus_core.kernels.compositing.gpu import render_rays

    origins, directions, occupied, aabb, jitter = scene(rays)
    samples = march_torch(origins, directions, occupied, aabb, 0.02, 160, budget, jitter)
    shapes = ((budget,), (budget, 3), (budget, 3))
    inputs = [torch.randn(shape, device="cuda") * 0.3 for shape in shapes]
    inputs.append(torch.tensor(inv_s, device="cuda"))
    inputs[2] = inputs[2].sigmoid()
    twin = [t.double().requires_grad_() for t in inputs]
    inputs = [t.requires_grad_() for t in inputs]
    ratio = torch.tensor(anneal, device="cuda")
    rendered = render_rays(directions, samples, FieldOutput(*inputs[:3]), inputs[3], ratio)
    got = together(rendered)
    exact = RaySamples(
        samples.t_starts.double(), samples.t_ends.double(), samples.ray_index, samples.valid,
        samples.first, samples.count,
    )  # fmt: skip
    expected = composite_torch(
        directions.double(), exact, FieldOutput(*twin[:3]), twin[3], ratio.double()
    )
    assert relative(got, expected) < 1e-5
    cotangent = torch.randn_like(got)
    a = torch.autograd.grad(got, inputs, cotangent)
    b = torch.autograd.grad(expected, twin, cotangent.double())
    assert max(relative(x, y) for x, y in zip(a, b, strict=True)) < 2e-4


def test_padding_gets_zero_and_the_eikonal_term_is_added() -> None:
    from ineus_core.kernels.compositing.gpu import composite_backward

    rays, budget = 37, 2000
    origins, directions, occupied, aabb, jitter = scene(rays)
    samples = march_torch(origins, directions, occupied, aabb, 0.05, 64, budget, jitter)
    output = FieldOutput(
        *(torch.randn(s, device="cuda") for s in ((budget,), (budget, 3), (budget, 3)))
    )
    leaves = (output.sdf, output.gradient, output.rgb)
    poisoned = FieldOutput(*(torch.full_like(t, torch.nan) for t in leaves))
    one, zero = torch.ones((), device="cuda"), torch.zeros((), device="cuda")
    nothing = torch.zeros((rays, 8), device="cuda")
    composite_backward(
        directions,
        samples,
        output,
        20 * one,
        one,
        nothing,
        nothing,
        poisoned,
        zero.clone(),
        0.5 * one,
        zero,
    )
    gradient = output.gradient.double().requires_grad_()
    eikonal = ((gradient.norm(dim=1) - 1).square() * samples.valid).sum()
    (expected,) = torch.autograd.grad(0.5 * eikonal, gradient)
    assert relative(poisoned.gradient, expected) < 1e-5
    assert relative(zero, eikonal) < 1e-5
    assert (poisoned.sdf == 0).all() and (poisoned.rgb == 0).all()


@pytest.mark.parametrize("counts", [[0], [3], [0, 3, 70, 1, 130, 0, 12, 64]])
def test_a_density_is_composited_as_by_torch(counts: list[int]) -> None:
    from ineus_core.kernels.compositing.gpu import (
        DensityScales,
        composite_backward,
        composite_forward,
    )

    torch.manual_seed(len(counts))
    count = torch.tensor(counts, device="cuda")
    rays, n, first = len(count), int(count.sum()), count.cumsum(0) - count
    ray = torch.arange(rays, device="cuda").repeat_interleave(count)
    start = torch.cat([0.02 * torch.arange(c, device="cuda") for c in counts])
    valid = torch.ones(n, dtype=torch.bool, device="cuda")
    samples = RaySamples(start, start + 0.02, ray, valid, first, count)
    raw = (3.0 * torch.randn(n, device="cuda")).requires_grad_()
    rgb = torch.rand((n, 3), device="cuda").requires_grad_()
    gradient = torch.randn((n, 3), device="cuda")
    directions = normalize(torch.randn((rays, 3), device="cuda"), dim=1)
    scales = DensityScales(-1.0, 1 / 1.5, 1 / 1.2)
    density = truncated_exp(scales.bias - raw * scales.per_m) * scales.factor
    alpha = density_alpha(density, samples.t_ends - samples.t_starts, valid)
    middle = 0.5 * (samples.t_starts + samples.t_ends)[:, None]
    parts = (rgb, middle, normalize(gradient, dim=1, eps=1e-6), torch.ones_like(middle))
    weights = transmittance_weights(alpha, samples) if n else alpha
    expected = accumulate(weights, torch.cat(parts, dim=1), ray, rays)
    cotangent = torch.randn((rays, 8), device="cuda")
    # As `ray_losses` leaves them: nothing is asked of the normal.
    cotangent[:, 4:7] = 0.0
    expected.backward(cotangent)
    packed = RaySamples(
        samples.t_starts, samples.t_ends, ray.int(), valid, first.int(), count.int()
    )
    output, one = FieldOutput(raw.detach(), gradient, rgb.detach()), torch.ones((), device="cuda")
    rendered = torch.full((rays, 8), torch.nan, device="cuda")
    composite_forward(directions, packed, output, one, one, rendered, scales)
    assert relative(rendered, expected) < 1e-5
    d_output = FieldOutput(*(torch.full_like(t, torch.nan) for t in (raw, gradient, rgb)))
    d_inv_s = torch.zeros((), device="cuda")
    call = (directions, packed, output, one, one, rendered, cotangent, d_output, d_inv_s)
    composite_backward(*call, density=scales)
    if n:
        assert relative(d_output.sdf, raw.grad) < 1e-4
        assert relative(d_output.rgb, rgb.grad) < 1e-4
        assert not bool(d_output.gradient.any())
    assert float(d_inv_s) == 0.0
