# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Who comes into the built-in room: seen in the pictures, and in the truth only if it stays."""

import numpy as np
import pytest

from ineus_core.config import load_config
from ineus_core.errors import ConfigError
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.sources.synthetic.visitors import Visitor, visit_of

BOX_M = np.array([[-1.0, 0.9, 0.2]])


def source(visitor: Visitor) -> SyntheticSource:
    return SyntheticSource(SyntheticConfig(frames=40, width_px=32, height_px=24, visitor=visitor))


def test_a_walker_stands_before_the_room_in_some_pictures_and_is_in_no_truth() -> None:
    with_walker, empty = source("walker"), source("none")
    nearer = 0
    for index in range(40):
        frame, plain = with_walker.frame(index), empty.frame(index)
        assert frame.depth_m is not None and plain.depth_m is not None
        assert (frame.depth_m <= plain.depth_m + 1e-4).all()
        nearer += bool((frame.depth_m < plain.depth_m - 0.1).any())
    assert 5 <= nearer <= 35
    points = np.random.default_rng(0).uniform((-2, -1.5, 0.1), (2, 1.5, 2), (200, 3))
    assert (with_walker.sdf(points) == empty.sdf(points)).all()


def test_the_walker_keeps_away_from_the_camera() -> None:
    for second in range(30):
        camera_m = np.array((1.3 * np.cos(second), np.sin(second), 1.4))
        for part in visit_of("walker").parts(0.0, float(second), camera_m):
            assert np.hypot(*(np.array(part.position_m) - camera_m)[:2]) >= 0.75 - 1e-9


@pytest.mark.parametrize(("visitor", "stays"), [("box_added", True), ("box_removed", False)])
def test_a_box_is_in_the_truth_if_it_is_there_at_the_end(visitor: Visitor, stays: bool) -> None:
    assert (source(visitor).sdf(BOX_M)[0] < 0) == stays
    parts = visit_of(visitor).parts
    there = [bool(parts(share, 0.0, np.zeros(3))) for share in (0.0, 0.49, 0.5, 0.99)]
    assert there == [not stays, not stays, stays, stays]


def test_visitors_come_into_the_room_only() -> None:
    with pytest.raises(ConfigError, match="visitor walker in scene hall: expected scene room"):
        load_config(overrides=["source.synthetic.scene=hall", "source.synthetic.visitor=walker"])
