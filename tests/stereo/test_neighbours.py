# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which views are picked on planned paths before a wall: by geometry, not by their order."""

import numpy as np
import pytest
import torch
from card_scene import CardScene, camera_of, pose_at

from ineus_core.stereo.neighbours import pick_sources, worth
from ineus_core.stereo.view import StereoView

POINTS_M = np.array([(x, y, 2.0) for x in np.linspace(-0.5, 0.5, 5) for y in (-0.3, 0.0, 0.3)])


def view_at(*position: float, turn: float = 0.0) -> StereoView:
    frame = CardScene().frame(0, camera_of(), pose_at(*position, turn=turn))
    return StereoView(frame, 320, torch.device("cpu"))


REFERENCE = view_at(0, 0, 0)


@pytest.mark.parametrize(
    ("source", "least", "most"),
    [
        (view_at(0, 0, 0), 0.0, 0.0),
        (view_at(0.16, 0, 0), 0.9, 1.0),
        (view_at(0.005, 0, 0), 0.0, 0.0),
        (view_at(0.8, 0, 0), 0.0, 0.0),
        (view_at(0, 0, 0, turn=0.2), 0.0, 0.0),
        (view_at(0.16, 0, 0, turn=np.pi), 0.0, 0.0),
        (view_at(0.16, 0, 0, turn=0.5), 0.1, 0.4),
    ],
    ids=["same place", "good", "too near", "too far", "turned", "looks away", "turned and moved"],
)
def test_worth_of_a_source(source: StereoView, least: float, most: float) -> None:
    assert least <= worth(REFERENCE, source, POINTS_M) <= most


def test_blurred_sources_are_worth_less() -> None:
    sharp, blurred = view_at(0.16, 0, 0), view_at(0.16, 0, 0)
    blurred.sharpness = 0.5 * sharp.sharpness
    ratio = worth(REFERENCE, blurred, POINTS_M) / worth(REFERENCE, sharp, POINTS_M)
    assert ratio == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1)])
def test_sources_of_both_sides_are_preferred(order: tuple[int, ...]) -> None:
    line = [view_at(x, 0, 0) for x in (-0.3, -0.16, 0.14, 0.16, 0.18)]
    picked = pick_sources(REFERENCE, [line[i] for i in order], POINTS_M, 2)
    assert sorted(np.sign(view.position_m[0]) for view in picked) == [-1, 1]


def test_nothing_known_picks_nothing() -> None:
    assert pick_sources(REFERENCE, [view_at(0.16, 0, 0)], np.zeros((0, 3)), 4) == []
