# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of a mesh: those of a point, and those that cameras see through a blurred surface."""

from typing import Any

import pytest
import torch

from ineus_core.rendering import vertex_colours
from ineus_core.types import FieldOutput

UP = torch.tensor([[0.0, 0.0, 1.0]])


class Floor:
    """The plane z = 0, red by as much as a point is above it, with a blur of 0.1 m."""

    inv_s = torch.tensor(10.0)

    def __call__(self, points: torch.Tensor, directions: torch.Tensor) -> FieldOutput:
        self.directions = directions
        red = (0.5 + points[:, 2]).clamp(0, 1)
        rgb = torch.stack((red, torch.zeros_like(red), torch.ones_like(red)), dim=1)
        return FieldOutput(points[:, 2], UP.expand_as(points), rgb)


def colour(is_blurred: bool, knows_views: bool = False) -> tuple[list[float], Floor]:
    field: Any = Floor()
    points = torch.zeros((2, 3))
    found = vertex_colours(field, is_blurred, knows_views, points, UP.expand_as(points))
    torch.testing.assert_close(found[0], found[1])
    return found[0].tolist(), field


def test_a_sharp_surface_has_the_colour_of_the_point() -> None:
    assert colour(is_blurred=False)[0] == [0.5, 0.0, 1.0]


def test_a_blurred_one_has_that_of_the_weights_along_the_normal() -> None:
    found, _ = colour(is_blurred=True)
    # Steps of 0.1 m from 0.35 to -0.35, opacity 1 - cdf(far) / cdf(near) of the logistic at 10 z.
    heights = torch.linspace(0.35, -0.35, 8)
    near, far = torch.sigmoid(10 * (heights + 0.05)), torch.sigmoid(10 * (heights - 0.05))
    clear, red, total = 1.0, 0.0, 0.0
    for height, alpha in zip(heights.tolist(), (1 - far / near).tolist(), strict=True):
        red, total = red + clear * alpha * (0.5 + height), total + clear * alpha
        clear *= 1 - alpha
    assert found[0] == pytest.approx(red / total, abs=1e-4)
    assert found[1:] == pytest.approx([0.0, 1.0])


def test_it_is_seen_head_on_where_colours_know_directions() -> None:
    assert torch.equal(colour(is_blurred=True, knows_views=True)[1].directions[0], -UP[0])
    assert not colour(is_blurred=True)[1].directions.any()
