# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The learned background: contraction, where its samples lie, what it learns."""

import pytest
import torch
from tiny_scene import tiny_field

from ineus_core.fields import Background, BackgroundConfig, add_background
from ineus_core.fields.background import contract

BOX = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])


def background(**settings: object) -> Background:
    torch.manual_seed(0)
    field = tiny_field("object", side_m=2.0)
    tiny = {"levels": 4, "log2_entries": 12, "hidden": 32, "samples": 8, "cells": 16}
    add_background(field, BackgroundConfig(kind="learned", **{**tiny, **settings}))
    assert isinstance(field.background, Background)
    return field.background


def test_contraction_by_hand() -> None:
    points = torch.tensor([[0.5, 0, 0], [0, 2.0, 0], [0, 0, -4.0], [0, 0, 0], [1e9, 0, 0]])
    expected = torch.tensor([[0.5, 0, 0], [0, 1.5, 0], [0, 0, -1.75], [0, 0, 0], [2.0, 0, 0]])
    torch.testing.assert_close(contract(points), expected)


def test_samples_go_from_the_box_to_the_far_end_by_equal_ratios() -> None:
    behind = background(far_m=256.0)
    origins = torch.tensor([[0.0, 0, 0], [0, 5.0, 0]])
    directions = torch.tensor([[0.0, 0, 1], [0, 0, 1.0]])
    _, samples = behind(origins, directions, BOX, torch.ones(2))
    starts, ends = samples.t_starts.view(2, 8), samples.t_ends.view(2, 8)
    assert starts[:, 0].tolist() == pytest.approx([1.0, 0.1])
    assert ends[:, -1].tolist() == pytest.approx([256.0, 256.0], rel=1e-4)
    torch.testing.assert_close(ends[0] / starts[0], torch.full((8,), 2.0))
    assert torch.equal(starts[:, 1:], ends[:, :-1])
    # Shifted ones are in order too, and none begins within the box.
    _, samples = behind(origins, directions, BOX, torch.zeros(2))
    assert bool((samples.t_ends >= samples.t_starts).all())
    assert samples.t_starts[0].item() == pytest.approx(1.0)


def test_it_learns_a_colour_and_skips_what_is_empty() -> None:
    behind = background()
    optimiser = torch.optim.Adam(behind.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    origins = torch.zeros(64, 3)
    wanted = torch.tensor([0.2, 0.6, 0.9])
    for step in range(60):
        directions = torch.nn.functional.normalize(torch.randn(64, 3, generator=generator))
        jitter = torch.rand(64, generator=generator)
        rendered, _ = behind(origins, directions, BOX, jitter)
        loss = (rendered.rgb - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 8 == 0:
            behind.update_grid(generator)
    assert loss.item() < 0.01
    assert rendered.opacity.mean() > 0.8
    assert 0.0 < float((behind.opacity >= behind.opacity.mean().clamp(max=0.01)).float().mean())
