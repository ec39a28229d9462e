# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Planes between sure pixels: where colour and depth support them, and nowhere else."""

import torch
from torch import Tensor

from ineus_core.stereo.plane_fill import plane_fill

HEIGHT, WIDTH = 64, 96
Y, X = torch.meshgrid(
    (torch.arange(HEIGHT) + 0.5 - 32) / 80, (torch.arange(WIDTH) + 0.5 - 48) / 80, indexing="ij"
)
PLANE_XY = torch.stack((X, Y), dim=-1)
WALL = 0.5 + 0.1 * X - 0.05 * Y
GREY = torch.full((HEIGHT, WIDTH), 120.0)


def hole_in(weight: Tensor) -> tuple[slice, slice]:
    hole = slice(24, 44), slice(40, 60)
    weight[hole] = 0
    return hole


def fill(q: Tensor, weight: Tensor, grey: Tensor) -> Tensor:
    return plane_fill(q * (weight > 0), weight, grey, PLANE_XY, 0.005)


def test_a_plain_patch_of_a_wall_lies_on_the_wall() -> None:
    weight = torch.ones(HEIGHT, WIDTH)
    hole = hole_in(weight)
    found = fill(WALL, weight, GREY)
    torch.testing.assert_close(found[hole], WALL[hole], atol=1e-5, rtol=1e-4)


def test_another_colour_is_another_thing() -> None:
    weight, grey = torch.ones(HEIGHT, WIDTH), GREY.clone()
    hole = hole_in(weight)
    grey[hole] = 200.0
    assert not fill(WALL, weight, grey)[hole].any()


def test_nothing_is_filled_where_depth_steps() -> None:
    weight = torch.ones(HEIGHT, WIDTH)
    hole = hole_in(weight)
    step = torch.where(torch.arange(WIDTH) < 50, WALL, 1.3 * WALL)
    assert not fill(step, weight, GREY)[hole].any()


def test_a_line_of_sure_pixels_says_nothing_of_what_lies_beside_it() -> None:
    weight = torch.zeros(HEIGHT, WIDTH)
    weight[:, 20:22] = 1
    found = fill(WALL, weight, GREY)
    assert not found[:, 60:].any()
    assert (found[:, 20:22] > 0).any()


def test_nothing_sure_fills_nothing() -> None:
    assert not fill(WALL, torch.zeros(HEIGHT, WIDTH), GREY).any()
