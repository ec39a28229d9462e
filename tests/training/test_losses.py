# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Every term of the loss by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ineus_core.training import LossWeights
from ineus_core.training.losses import (
    LossRamps,
    LossTerms,
    loss_names,
    loss_terms,
    masked_mean,
)
from ineus_core.training.terms import LossInputs, over_colour
from ineus_core.types import FieldOutput, RayBatch, RaySamples, RenderedRays

TRUNCATION_M = 0.1


def terms_of(
    t_mid: list[float],
    sdf: list[float],
    range_m: float = 1.0,
    normal: tuple[float, float, float] = (0.0, 0.0, 0.0),
    valid: bool = True,
    loss_weights: LossWeights | None = None,
    fades_below: float = 0.0,
    **parts: Tensor,
) -> LossTerms:
    """Terms of a single ray along x with samples at given distances."""
    n = len(t_mid)
    t = torch.tensor(t_mid)
    batch = RayBatch(
        torch.zeros(1, 3),
        torch.tensor([[1.0, 0, 0]]),
        torch.tensor([[0.5, 0.5, 0.5]]),
        torch.tensor([range_m]),
        torch.tensor([normal]),
        torch.tensor([range_m > 0]),
        torch.tensor([valid]),
        parts.get("foreground"),
        parts.get("depth_weight"),
    )
    samples = RaySamples(
        t - 0.01,
        t + 0.01,
        torch.zeros(n, dtype=torch.int64),
        torch.full((n,), valid),
        torch.zeros(1, dtype=torch.int64),
        torch.tensor([n]),
    )
    output = FieldOutput(
        torch.tensor(sdf),
        torch.tensor([[2.0, 0.0, 0.0]]).expand(n, 3),
        torch.zeros(n, 3),
        parts.get("laplacian"),
        parts.get("density"),
    )
    image = RenderedRays(
        parts.get("rgb", torch.tensor([[0.5, 0.8, 0.5]])),
        parts.get("range_m", torch.tensor([1.2])),
        torch.zeros(1, 3),
        torch.ones(1),
        parts.get("weights"),
    )
    inputs = LossInputs(
        batch, samples, output, image, TRUNCATION_M, estimate_fades_below=fades_below
    )
    return loss_terms(inputs, loss_weights or LossWeights())


def test_colour_depth_and_eikonal() -> None:
    terms = terms_of([1.0], [0.0])
    assert terms["photometric"].item() == pytest.approx(0.1)
    assert terms["depth"].item() == pytest.approx(2.0)
    # A gradient of length 2 is off by 1.
    assert terms["eikonal"].item() == pytest.approx(1.0)


def test_a_wild_range_counts_at_most_five_truncations() -> None:
    assert terms_of([1.0], [0.0], range_m=0.9)["depth"].item() == pytest.approx(3.0)
    assert terms_of([1.0], [0.0], range_m=9.0)["depth"].item() == pytest.approx(5.0)


def test_the_band_wants_the_distance_to_the_return() -> None:
    # At 0.95 the surface is 0.05 ahead, at 1.05 it is 0.05 behind; weight 1 / (1 + 1 / 16).
    weight = 16 / 17
    assert terms_of([0.95, 1.05], [0.05, -0.05])["band"].item() == pytest.approx(0.0, abs=1e-6)
    off = terms_of([0.95, 1.05], [0.07, -0.01])
    assert off["band"].item() == pytest.approx(weight * (0.02 + 0.04) / 2 / TRUNCATION_M, rel=1e-4)


def test_a_slanted_surface_is_nearer_than_the_return() -> None:
    # Incidence of 60 degrees: half the way along the ray.
    normal = (-0.5, 3**0.5 / 2, 0.0)
    assert terms_of([0.95], [0.025], normal=normal)["band"].item() == pytest.approx(0.0, abs=1e-6)


def test_far_returns_weigh_less() -> None:
    near = terms_of([0.95], [0.07], range_m=1.0)["band"].item()
    far = terms_of([3.95], [0.07], range_m=4.0)["band"].item()
    assert far / near == pytest.approx(0.5 / (16 / 17), rel=1e-3)


@pytest.mark.parametrize(
    ("sdf", "expected"),
    [
        (0.3, 0.0),  # anything between the truncation and the return's distance will do
        (0.06, 0.4),  # nearer than the truncation: 0.04 too near
        (0.56, 0.6),  # farther than the return, 0.5 away: 0.06 too far
    ],
)
def test_free_space_bounds_the_distance_on_both_sides(sdf: float, expected: float) -> None:
    terms = terms_of([0.5], [sdf])
    assert terms["free_space"].item() == pytest.approx(expected, abs=1e-5)
    assert terms["band"].item() == 0.0


def test_behind_the_band_nothing_is_known() -> None:
    terms = terms_of([1.3], [-5.0])
    assert terms["band"].item() == terms["free_space"].item() == 0.0


def test_a_ray_without_depth_has_colour_only() -> None:
    terms = terms_of([0.5, 1.0], [3.0, -3.0], range_m=0.0)
    assert terms["depth"].item() == terms["band"].item() == terms["free_space"].item() == 0.0
    assert terms["photometric"].item() == pytest.approx(0.1)


def test_a_ray_that_is_not_valid_has_no_loss_and_no_nan() -> None:
    terms = terms_of([1.0], [5.0], valid=False)
    assert terms.stacked().tolist() == [0.0] * len(loss_names())


def test_the_total_is_the_weighted_sum() -> None:
    terms = LossTerms({name: torch.tensor(float(i + 1)) for i, name in enumerate(loss_names())})
    weights = LossWeights(photometric=1, depth=10, band=100, free_space=1000, eikonal=0, mask=1e5)
    assert terms.total(weights.stacked(terms["depth"].device)).item() == 1 + 20 + 300 + 4000 + 7e5


def test_squared_colour_error() -> None:
    # Off by 0.3 in one of three channels.
    assert terms_of([1.0], [0.0])["photometric_mse"].item() == pytest.approx(0.03)


def test_a_density_has_no_distance_to_supervise() -> None:
    terms = terms_of([0.95, 0.5], [0.07, 0.0], density=torch.tensor([3.0, 4.0]))
    assert terms["band"].item() == terms["free_space"].item() == terms["eikonal"].item() == 0.0
    assert terms["photometric"].item() == pytest.approx(0.1)


def test_regularisers_are_only_those_with_a_weight() -> None:
    parts: Any = {"foreground": torch.zeros(1), "laplacian": torch.tensor([-3.0])}
    assert terms_of([1.0], [0.0], **parts).stacked()[6:].tolist() == [0.0] * len(loss_names()[6:])
    weights = LossWeights(mask=1, opaque=1, sparsity=1, curvature=1, distortion=1)
    parts["weights"] = torch.tensor([0.5])
    terms = terms_of([1.0], [0.0], loss_weights=weights, **parts)
    # Opaque where only background is: -ln(0.001), and the entropy of 0.999.
    assert terms["mask"].item() == pytest.approx(6.9078, abs=1e-3)
    assert terms["opaque"].item() == pytest.approx(0.0079, abs=1e-4)
    assert terms["sparsity"].item() == pytest.approx(1.0)
    assert terms["curvature"].item() == pytest.approx(3.0)
    # One interval of 2 cm: 0.5^2 * 0.02 / 3.
    assert terms["distortion"].item() == pytest.approx(0.005 / 3, rel=1e-4)


def test_pixels_take_another_background_by_the_share_that_they_show_of_it() -> None:
    rays = torch.zeros(3, 3)
    share, valid = torch.tensor([1.0, 0.25, -1.0]), torch.ones(3, dtype=torch.bool)
    rgb = torch.tensor([[0.1, 0.2, 0.3], [0.7, 0.8, 0.9], [0.5, 0.5, 0.5]])
    batch = RayBatch(rays, rays, rgb, torch.zeros(3), rays, valid, valid, share)
    colour, image_background = torch.tensor([[0.0, 0.6, 1.0]]), torch.tensor([0.8, 0.8, 1.0])
    found = over_colour(batch, colour, image_background).rgb
    # Three quarters of the second pixel were image_background; of the last nobody knows.
    expected = rgb.clone()
    expected[1] = torch.tensor([0.7 - 0.75 * 0.8, 0.8 - 0.75 * 0.2, 0.9])
    torch.testing.assert_close(found, expected)
    assert over_colour(replace(batch, foreground=None), colour, image_background).rgb is rgb


def test_a_weight_can_ramp() -> None:
    weights = LossWeights(curvature=7.0)
    ramps = LossRamps(curvature=(100, 0.0, 4.0, 300))
    found = [ramps.weights_at(step, weights).curvature for step in (0, 100, 150, 300, 9000)]
    assert found == [0.0, 0.0, 1.0, 4.0, 4.0]
    assert LossRamps().weights_at(5, weights) is weights
    assert ramps.may_weigh("curvature", weights)
    assert not LossRamps(curvature=(0, 0.0, 0.0, 1)).may_weigh("curvature", weights)


@pytest.mark.parametrize("values", [(1.0,), (0, 1.0, 2.0), (5, 0.0, 1.0, 5), (0, -1.0, 0.0, 9)])
def test_what_is_no_ramp_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected nothing|not after"):
        LossRamps(mask=values)


def test_a_mean_over_nothing_is_0_and_has_a_gradient() -> None:
    values = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    assert masked_mean(values, torch.tensor([True, False, True])).item() == 3.5
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0.0
    assert values.grad.tolist() == [0, 0, 0]


def test_depth_counts_as_much_as_it_is_trusted() -> None:
    whole = terms_of([0.2, 0.95], [0.9, 0.0])
    half = terms_of([0.2, 0.95], [0.9, 0.0], depth_weight=torch.tensor([0.5]))
    for name in ("depth", "band", "free_space"):
        assert float(whole[name]) > 0
        assert float(half[name]) == pytest.approx(0.5 * float(whole[name]))
    assert float(half["photometric"]) == float(whole["photometric"])


@pytest.mark.parametrize(("weight", "left"), [(0.5, 0.25), (1.0, 1.0)])
def test_estimated_depth_fades_as_the_colour_is_explained(weight: float, left: float) -> None:
    # The colour is off by 0.3 in one of three channels: 0.1, half of the threshold.
    whole = terms_of([0.2, 0.95], [0.9, 0.0])
    trust = torch.tensor([weight])
    faded = terms_of([0.2, 0.95], [0.9, 0.0], fades_below=0.2, depth_weight=trust)
    for name in ("depth", "band", "free_space"):
        assert float(faded[name]) == pytest.approx(left * float(whole[name]))
