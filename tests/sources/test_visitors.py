# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Who comes into the built-in room: seen in the pictures, and in the truth only if it stays."""

from dataclasses import replace

import numpy as np
import pytest

from ineus_core.config import load_config
from ineus_core.errors import ConfigError
from ineus_core.sources import ReadOptions, SyntheticConfig, SyntheticSource
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene
from ineus_core.sources.synthetic.shapes import Texture
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


def test_a_box_comes_half_way_through_the_walk_also_where_the_first_frames_are_read_only() -> None:
    config = SyntheticConfig(frames=0, width_px=16, height_px=12, visitor="box_removed")
    whole, some = SyntheticSource(config), SyntheticSource(config, ReadOptions(max_frames=60))
    assert (len(whole), len(some)) == (100, 60)
    for index in (29, 31, 49, 51):
        np.testing.assert_array_equal(some.frame(index).rgb, whole.frame(index).rgb)


@pytest.mark.parametrize("visitor", ["none", "box_added"])
def test_frames_show_a_repainted_scene_in_its_shape(visitor: Visitor) -> None:
    given, repainted = source(visitor), source(visitor)
    floor = given.scene.groups[0].parts[0]
    red = replace(floor, texture=Texture("plain", (1.0, 0.0, 0.0), (1.0, 0.0, 0.0), 1.0))

    def painted(scene: AnalyticScene) -> AnalyticScene:
        shell, *others = (group.parts for group in scene.groups)
        return AnalyticScene([[red, *shell[1:]], *others], scene.aabb_m, scene.gloss)

    repainted.repaint(painted)
    first, second = given.frame(30), repainted.frame(30)
    assert first.depth_m is not None and second.depth_m is not None
    np.testing.assert_array_equal(first.depth_m, second.depth_m)
    changed = (first.rgb != second.rgb).any(axis=-1)
    assert 0.05 < changed.mean() < 0.95
    red, green = second.rgb[changed][:, :2].astype(int).T
    # Pixels across an edge have some of what is beside it.
    assert np.mean(red > 3 * green) > 0.7
    assert len(repainted.scene.groups) == len(given.scene.groups)
