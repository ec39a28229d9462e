# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rates by part and step, and the decay of weights."""

from typing import Any

import pytest
import torch
from tiny_scene import tiny_field

from ineus_core.fields import BackgroundConfig, add_background
from ineus_core.training import OptimiserConfig
from ineus_core.training.optimiser import Optimiser, Rates


def moves(steps_taken: int = 0, rate_factor: float = 1.0, **settings: object) -> dict[str, float]:
    """How far each part moves in the first step, where Adam moves by exactly the rate."""
    field = tiny_field("object")
    config = OptimiserConfig(**settings)  # type: ignore[arg-type]
    rates = Rates(config)
    rates.scale(rate_factor)
    optimiser = Optimiser(config, field, rates)
    before = {name: p.detach().clone() for name, p in field.named_parameters()}
    torch.stack([p.sum() for p in field.parameters()]).sum().backward()
    optimiser.step(steps_taken)
    return {name: float((before[name] - p.detach()).max()) for name, p in field.named_parameters()}


def test_every_part_has_its_rate() -> None:
    found = moves(table_rate=0.1, heads_rate=0.02, inv_s_rate=0.003)
    assert found["table"] == pytest.approx(0.1, rel=1e-3)
    assert found["w1"] == found["colour_w1"] == pytest.approx(0.02, rel=1e-3)
    assert found["log_inv_s"] == pytest.approx(0.003, rel=1e-3)
    assert moves(colour_rate=0.05)["colour_b3"] == pytest.approx(0.05, rel=1e-3)


def test_a_learned_background_may_have_a_rate_of_its_own() -> None:
    def of_background(**rates: float) -> dict[str, float]:
        field = tiny_field("object")
        config = BackgroundConfig(kind="learned", levels=2, log2_entries=8, hidden=8, cells=8)
        add_background(field, config)
        settings = OptimiserConfig(table_rate=0.1, heads_rate=0.02, **rates)
        optimiser = Optimiser(settings, field, Rates(settings))
        before = {name: p.detach().clone() for name, p in field.named_parameters()}
        torch.stack([p.sum() for p in field.parameters()]).sum().backward()
        optimiser.step(0)
        parameters = field.named_parameters()
        return {name: float((before[name] - p.detach()).max()) for name, p in parameters}

    shared, own = of_background(), of_background(background_rate=0.5)
    assert shared["background.field.table"] == pytest.approx(0.1, rel=1e-3)
    assert shared["background.field.w1"] == pytest.approx(0.02, rel=1e-3)
    assert own["background.field.table"] == pytest.approx(0.5, rel=1e-3)
    assert own["background.field.colour_w2"] == pytest.approx(0.5, rel=1e-3)
    assert own["w1"] == pytest.approx(0.02, rel=1e-3)


def test_rates_follow_warm_up_and_the_given_factors() -> None:
    settings: Any = {"heads_rate": 0.1, "rate_steps": (10, 20), "rate_factors": (1.0, 0.01)}
    assert moves(15, **settings)["w2"] == pytest.approx(0.01, rel=1e-3)
    # Such a run settles by its own schedule.
    assert moves(15, rate_factor=0.5, **settings)["w2"] == pytest.approx(0.01, rel=1e-3)
    assert moves(15, rate_factor=0.5, heads_rate=0.1)["w2"] == pytest.approx(0.05, rel=1e-3)
    warm = moves(0, warm_up_steps=30, **settings)
    assert warm["w2"] == pytest.approx(0.001, rel=1e-2)


def test_weights_decay_by_their_rate() -> None:
    field = tiny_field("object")
    with torch.no_grad():
        field.w1.fill_(2.0)
    config = OptimiserConfig(heads_rate=0.1, weight_decay=0.5)
    optimiser = Optimiser(config, field, Rates(config))
    (0.0 * torch.stack([p.sum() for p in field.parameters()]).sum()).backward()
    optimiser.step(0)
    torch.testing.assert_close(field.w1.detach(), torch.full_like(field.w1, 2.0 * 0.95))


@pytest.mark.parametrize(
    "settings",
    [
        {"rate_steps": (1, 2), "rate_factors": (1.0,)},
        {"rate_steps": (2, 1), "rate_factors": (1.0, 0.5)},
        {"rate_steps": (1,), "rate_factors": (0.0,)},
    ],
)
def test_steps_without_a_factor_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="rate_steps"):
        OptimiserConfig(**settings)
