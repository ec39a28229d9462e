# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Opacity and compositing: by hand, a plane head-on, packed and padded, gradients in float64."""

import math

import pytest
import torch
from torch import Tensor

from ineus_core.kernels.compositing.reference import accumulate, neus_alpha, transmittance_weights
from ineus_core.types import RaySamples

EXACT = torch.tensor(1.0)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def packed(counts: list[int], budget: int, per_ray: int | None = None) -> RaySamples:
    """Intervals of 0.1 on rays, packed, or with `per_ray` places for each."""
    rays = len(counts)
    ray_index, k = torch.zeros(budget, dtype=torch.int64), torch.zeros(budget)
    valid = torch.zeros(budget, dtype=torch.bool)
    first = torch.zeros(rays, dtype=torch.int64)
    place = 0
    for ray, count in enumerate(counts):
        place = ray * per_ray if per_ray else place
        first[ray] = place
        end = (ray + 1) * per_ray if per_ray else place + count
        ray_index[place:end] = ray
        k[place : place + count] = torch.arange(count, dtype=torch.float32)
        valid[place : place + count] = True
        place += count
    t = 0.1 * k
    ends = torch.where(valid, t + 0.1, t)
    return RaySamples(t, ends, ray_index, valid, first, torch.tensor(counts, dtype=torch.int64))


def alpha_of(sdf: float, cosine: float, dt: float, inv_s: float, anneal: float = 1.0) -> float:
    scalars = torch.tensor(inv_s), torch.tensor(anneal)
    valid = torch.ones(1, dtype=torch.bool)
    alpha = neus_alpha(
        torch.tensor([sdf]), torch.tensor([cosine]), torch.tensor([dt]), *scalars, valid
    )
    return alpha.item()


def test_alpha_by_hand() -> None:
    # sdf 0.02 in the middle of a step of 0.1 straight at the surface: 0.07 before, -0.03 behind.
    near, far = sigmoid(40 * 0.07), sigmoid(40 * -0.03)
    expected = (near - far + 1e-5) / (near + 1e-5)
    assert alpha_of(0.02, -1.0, 0.1, 40.0) == pytest.approx(expected, rel=1e-5)


def test_alpha_of_a_slanted_ray_counts_half_the_way() -> None:
    near, far = sigmoid(40 * 0.045), sigmoid(40 * -0.005)
    expected = (near - far + 1e-5) / (near + 1e-5)
    assert alpha_of(0.02, -0.5, 0.1, 40.0) == pytest.approx(expected, rel=1e-5)


def test_leaving_a_surface_is_clear_but_not_before_the_annealing() -> None:
    assert alpha_of(0.0, 0.5, 0.1, 40.0) < 1e-4
    # Without annealing the slope is 0.5 - 0.5 cos = 0.25.
    near, far = sigmoid(40 * 0.0125), sigmoid(-40 * 0.0125)
    expected = (near - far + 1e-5) / (near + 1e-5)
    assert alpha_of(0.0, 0.5, 0.1, 40.0, anneal=0.0) == pytest.approx(expected, rel=1e-5)


def test_a_camera_inside_a_solid_sees_a_wall() -> None:
    # Deep inside the CDF is next to nothing, and what keeps the quotient finite is all of it.
    assert alpha_of(-0.3, 0.5, 0.01, 64.0) > 0.99
    assert alpha_of(-0.3, -0.5, 0.01, 64.0) > 0.99
    assert alpha_of(0.3, 0.5, 0.01, 64.0) < 1e-4


def test_alpha_stays_between_0_and_1_and_finite() -> None:
    sdf = torch.linspace(-5, 5, 101)
    valid = torch.ones(101, dtype=torch.bool)
    for inv_s in (1e-6, 1.0, 1e6):
        alpha = neus_alpha(
            sdf,
            torch.full_like(sdf, -1.0),
            torch.full_like(sdf, 0.1),
            torch.tensor(inv_s),
            EXACT,
            valid,
        )
        assert bool(((alpha >= 0) & (alpha <= 1)).all())


def test_a_sample_that_is_not_valid_is_clear() -> None:
    one = torch.ones(1)
    alpha = neus_alpha(
        -one, -one, one, torch.tensor(50.0), EXACT, torch.zeros(1, dtype=torch.bool)
    )
    assert alpha.item() == 0.0


def test_two_samples_by_hand() -> None:
    samples = packed([2], 4)
    alpha = torch.tensor([0.25, 0.5, 0.0, 0.0])
    weights = transmittance_weights(alpha, samples)
    torch.testing.assert_close(weights, torch.tensor([0.25, 0.375, 0.0, 0.0]))
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    total = accumulate(weights, colours, samples.ray_index, 1)
    torch.testing.assert_close(total, torch.tensor([[0.25, 0.375, 0.0]]))


def test_an_opaque_sample_hides_what_is_behind() -> None:
    weights = transmittance_weights(torch.tensor([0.0, 1.0, 1.0, 0.5]), packed([4], 4))
    torch.testing.assert_close(weights, torch.tensor([0.0, 1.0, 0.0, 0.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("inv_s", [40.0, 200.0, 1000.0])
def test_weights_of_a_plane_head_on_sum_to_1_at_the_surface(inv_s: float) -> None:
    n, surface, dt = 400, 1.003, 0.005
    t = torch.arange(n) * dt
    alpha = neus_alpha(
        surface - (t + dt / 2),
        torch.full((n,), -1.0),
        torch.full((n,), dt),
        torch.tensor(inv_s),
        EXACT,
        torch.ones(n, dtype=torch.bool),
    )
    samples = RaySamples(
        t, t + dt, torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.bool),
        torch.tensor([0]), torch.tensor([n]),
    )  # fmt: skip
    weights = transmittance_weights(alpha, samples)
    assert weights.sum().item() == pytest.approx(1.0, abs=2e-3)
    mean = (weights * (t + dt / 2)).sum() / weights.sum()
    assert mean.item() == pytest.approx(surface, abs=dt)


def test_rays_do_not_see_each_other_and_empty_ones_see_nothing() -> None:
    counts = [3, 0, 2, 0, 1, 0]
    samples = packed(counts, 10)
    alpha = torch.rand(10)
    weights = transmittance_weights(alpha, samples)
    place = 0
    for count in counts:
        clear = 1.0
        for i in range(place, place + count):
            assert weights[i].item() == pytest.approx(clear * alpha[i].item(), rel=1e-5)
            clear *= 1 - alpha[i].item()
        place += count
    assert weights[6:].abs().sum() == 0
    total = accumulate(weights, torch.ones(10, 1), samples.ray_index, len(counts))[:, 0]
    assert total[[1, 3, 5]].tolist() == [0, 0, 0]


def test_an_empty_batch_gives_nothing() -> None:
    samples = packed([0, 0], 5)
    assert transmittance_weights(torch.zeros(5), samples).sum() == 0
    none = packed([], 0)
    assert transmittance_weights(torch.zeros(0), none).shape == (0,)


def test_padded_and_packed_layouts_give_the_same() -> None:
    counts = [3, 0, 4, 1]
    tight, roomy = packed(counts, 11), packed(counts, 20, per_ray=5)
    alpha, rgb = torch.rand(8), torch.rand(8, 3)
    results = []
    for samples in (tight, roomy):
        n = len(samples.valid)
        spread_alpha, spread_rgb = torch.zeros(n), torch.rand(n, 3)
        spread_alpha[samples.valid], spread_rgb[samples.valid] = alpha, rgb
        weights = transmittance_weights(spread_alpha, samples)
        results.append(accumulate(weights, spread_rgb, samples.ray_index, 4))
    torch.testing.assert_close(results[0], results[1])


def test_digits_of_late_rays_survive_many_opaque_ones() -> None:
    rays = 2000
    samples = packed([4] * rays, 4 * rays)
    alpha = torch.tensor([0.2, 0.999999, 0.9999, 0.5]).repeat(rays)
    weights = transmittance_weights(alpha, samples).view(rays, 4)
    torch.testing.assert_close(weights, weights[:1].expand(rays, 4), atol=1e-6, rtol=1e-5)


def composited(
    samples: RaySamples, sdf: Tensor, cosine: Tensor, inv_s: Tensor, rgb: Tensor
) -> Tensor:
    dt = (samples.t_ends - samples.t_starts).to(sdf.dtype)
    alpha = neus_alpha(sdf, cosine, dt, inv_s, EXACT.to(sdf.dtype), samples.valid)
    weights = transmittance_weights(alpha, samples)
    return accumulate(weights, rgb, samples.ray_index, len(samples.count))


def test_gradients_in_float64() -> None:
    samples = packed([3, 0, 2], 7)
    sdf = (0.1 * torch.randn(7, dtype=torch.float64)).requires_grad_()
    cosine = (-0.2 - 0.6 * torch.rand(7, dtype=torch.float64)).requires_grad_()
    inv_s = torch.tensor(15.0, dtype=torch.float64).requires_grad_()
    rgb = torch.rand(7, 3, dtype=torch.float64).requires_grad_()
    inputs = (sdf, cosine, inv_s, rgb)
    assert torch.autograd.gradcheck(lambda *x: composited(samples, *x), inputs, atol=1e-6)


def test_gradients_of_float32_are_those_of_float64() -> None:
    samples = packed([5, 6, 0, 4], 20)
    wide = [
        0.1 * torch.randn(20, dtype=torch.float64),
        -torch.rand(20, dtype=torch.float64),
        torch.tensor(30.0, dtype=torch.float64),
        torch.rand(20, 3, dtype=torch.float64),
    ]
    results = []
    for dtype in (torch.float32, torch.float64):
        inputs = [x.to(dtype).requires_grad_() for x in wide]
        composited(samples, *inputs).square().sum().backward()
        results.append([x.grad.double() for x in inputs])
    for half, full in zip(*results, strict=True):
        torch.testing.assert_close(half, full, atol=2e-5, rtol=2e-4)
