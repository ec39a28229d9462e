# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of the kernels and their cotangents against autograd through the plain ones."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ineus_core.kernels import ray_batch
from ineus_core.training.losses import LossWeights, loss_names, loss_terms
from ineus_core.training.terms import LossInputs, over_colour
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
TRUNCATION_M, PER_M = 0.3, 2.5
RAY_TERMS = ("photometric", "depth", "photometric_mse", "mask", "opaque")
SAMPLE_TERMS = ("band", "free_space", "sparsity")


def batch(rays: int, placed: int) -> tuple[RayBatch, RaySamples, int]:
    """Random rays, of which the last have no room, with 0 to 3 samples each and some padding."""
    kind = torch.randint(0, 3, (rays,), device=GPU)
    shares = torch.tensor([-1.0, 0.0, 0.3, 1.0], device=GPU)
    range_m = torch.rand(rays, device=GPU) * 3.0
    count = torch.randint(0, 4, (rays,), device=GPU)
    count[placed:] = 0
    total = int(count.sum())
    index = torch.repeat_interleave(torch.arange(rays, device=GPU), count)
    index = torch.cat((index, torch.zeros(5, dtype=torch.int64, device=GPU)))
    start = torch.rand(total + 5, device=GPU) * 3.0
    vectors = [torch.nn.functional.normalize(torch.randn(rays, 3, device=GPU)) for _ in range(2)]
    normal = vectors[1] * (torch.rand(rays, 1, device=GPU) < 0.7)
    given = RayBatch(
        origins=torch.zeros(rays, 3, device=GPU),
        directions=vectors[0],
        rgb=torch.rand(rays, 3, device=GPU),
        range_m=torch.where(kind == 2, range_m, 0.0),
        normal=normal,
        has_depth=kind == 2,
        valid=kind > 0,
        foreground=shares[torch.randint(0, 4, (rays,), device=GPU)],
        depth_weight=(2.0 * torch.rand(rays, device=GPU)).clamp(max=1.0),
    )
    samples = RaySamples(
        t_starts=start,
        t_ends=start + 0.05,
        ray_index=index,
        valid=torch.arange(total + 5, device=GPU) < total,
        first=torch.cumsum(count, 0) - count,
        count=count,
    )
    return given, samples, total


def drawn(given: RayBatch):  # type: ignore[no-untyped-def]
    """Return the same rays as the kernels take them."""
    assert given.foreground is not None
    kind = ray_batch.IS_VALID + ray_batch.HAS_DEPTH * given.has_depth.int()
    kind = kind + ray_batch.IS_BACKGROUND * (given.foreground == 0).int()
    kind = kind + ray_batch.IS_FOREGROUND * (given.foreground > 0).int()
    rays = ray_batch.drawn_rays(len(given.rgb), GPU)
    return replace(
        rays,
        directions=given.directions,
        rgb=given.rgb,
        range_m=given.range_m,
        normal=given.normal,
        foreground=given.foreground,
        # A copy, as the weights fade in it.
        depth_weight=None if given.depth_weight is None else given.depth_weight.clone(),
        kind=(kind * given.valid.int()).to(torch.uint8),
    )


@pytest.mark.parametrize("weighed", [*RAY_TERMS, *SAMPLE_TERMS, "all"])
@pytest.mark.parametrize(("rays", "placed"), [(1, 1), (257, 257), (700, 611)])
@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize("fades_below", [0.0, 0.4])
def test_values_and_cotangents_are_those_of_autograd(
    rays: int, placed: int, weighed: str, is_replaced: bool, fades_below: float
) -> None:
    terms = (*RAY_TERMS, *SAMPLE_TERMS) if weighed == "all" else (weighed,)
    weights = LossWeights(**{name: 0.7 if name in terms else 0.0 for name in loss_names()})
    given, samples, total = batch(rays, placed)
    rendered = torch.rand(rays, 8, device=GPU)
    rendered[:, 7] = 1.4 * rendered[:, 7] - 0.2
    rendered[::5, 7] = 0.0
    sdf = torch.randn(total + 5, device=GPU) * 0.5
    background = torch.rand(3, device=GPU)
    image_colour = torch.rand(3, device=GPU) if is_replaced else None
    ours = by_kernels(
        given, samples, total, placed, rendered, background, sdf, weights, image_colour,
        fades_below,
    )  # fmt: skip
    usable = replace(given, valid=given.valid & (torch.arange(rays, device=GPU) < placed))
    theirs = by_autograd(
        usable, samples, rendered, background, sdf, weights, image_colour, fades_below
    )
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def by_autograd(
    given: RayBatch,
    samples: RaySamples,
    buffer: Tensor,
    background: Tensor,
    sdf: Tensor,
    weights: LossWeights,
    image_colour: Tensor | None,
    fades_below: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Losses, cotangents of the rendered rays and of the distances."""
    buffer, sdf = buffer.clone().requires_grad_(), sdf.clone().requires_grad_()
    rgb = buffer[:, :3] + (1.0 - buffer[:, 7:]) * background
    if image_colour is not None:
        given = over_colour(given, background[None], image_colour)
    rendered = RenderedRays(rgb, buffer[:, 3], buffer[:, 4:7], buffer[:, 7])
    vectors = torch.zeros(len(sdf), 3, device=GPU)
    output = FieldOutput(sdf, vectors, vectors)
    inputs = LossInputs(
        given, samples, output, rendered, TRUNCATION_M, PER_M, estimate_fades_below=fades_below
    )
    terms = loss_terms(inputs, weights)
    (terms.total(weights.stacked(GPU)) + 0.0 * (buffer.sum() + sdf.sum())).backward()
    assert buffer.grad is not None and sdf.grad is not None
    losses = terms.stacked()
    losses[loss_names().index("eikonal")] = 0.0
    return losses, buffer.grad, sdf.grad


def by_kernels(
    given: RayBatch,
    samples: RaySamples,
    total: int,
    placed: int,
    rendered: Tensor,
    background: Tensor,
    sdf: Tensor,
    weights: LossWeights,
    image_colour: Tensor | None,
    fades_below: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the same, into poisoned buffers where the kernels write all of it."""
    from ineus_core.kernels.losses import gpu as kernels

    rays = drawn(given)
    scales = kernels.LossScales(
        torch.tensor([getattr(weights, name) for name in loss_names()], device=GPU),
        TRUNCATION_M,
        PER_M,
        with_mask=weights.mask > 0,
        with_opaque=weights.opaque > 0,
        with_sparsity=weights.sparsity > 0,
        image_background=image_colour,
        estimate_fades_below=fades_below,
    )
    counts = kernels.term_counts(placed, GPU)
    packed = replace(
        samples,
        ray_index=samples.ray_index.int(),
        first=samples.first.int(),
        count=samples.count.int(),
    )
    used = torch.tensor(total, dtype=torch.int32, device=GPU)
    losses, d_sdf = torch.zeros(len(loss_names()), device=GPU), torch.zeros_like(sdf)
    d_rendered = torch.full_like(rendered, torch.nan)
    kernels.count_terms(rays, packed, used, scales, counts)
    kernels.ray_losses(rays, packed, rendered, background, counts, scales, d_rendered, losses)
    kernels.sample_losses(rays, packed, used, sdf, counts, scales, d_sdf, losses)
    return losses, d_rendered, d_sdf


def test_a_term_that_weighs_nothing_now_is_reported_as_nothing() -> None:
    given, samples, total = batch(300, 300)
    rendered, sdf = torch.rand(300, 8, device=GPU), torch.randn(total + 5, device=GPU)
    from ineus_core.kernels.losses import gpu as kernels

    weights = torch.zeros(len(loss_names()), device=GPU)
    scales = kernels.LossScales(weights, TRUNCATION_M, PER_M, True, True, True)
    counts, rays = kernels.term_counts(300, GPU), drawn(given)
    used, losses = torch.tensor(total, dtype=torch.int32, device=GPU), torch.zeros_like(weights)
    d_rendered, d_sdf = torch.zeros_like(rendered), torch.zeros_like(sdf)
    black = torch.zeros(3, device=GPU)
    packed = replace(samples, ray_index=samples.ray_index.int(), count=samples.count.int())
    kernels.count_terms(rays, packed, used, scales, counts)
    kernels.ray_losses(rays, packed, rendered, black, counts, scales, d_rendered, losses)
    kernels.sample_losses(rays, packed, used, sdf, counts, scales, d_sdf, losses)
    assert losses[-6:].tolist() == [0.0] * 6
    assert float(d_rendered.abs().sum() + d_sdf.abs().sum()) == 0.0
