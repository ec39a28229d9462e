# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Interpolation of poses and transforms on numbers worked out by hand."""

import numpy as np
import pytest

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_inverse, rigid_transform
from ineus_core.sources.bags.transforms import TransformTree
from ineus_core.sources.pose_track import PoseTrack, TransformNotYet, TransformUnknown

S = 1_000_000_000
NO_TURN = np.array([0.0, 0.0, 0.0, 1.0])
QUARTER_LEFT = np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])


def at(x: float, y: float = 0.0, z: float = 0.0, xyzw: np.ndarray = NO_TURN) -> np.ndarray:
    return rigid_transform(np.array([x, y, z]), xyzw)


def test_half_way_between_two_poses() -> None:
    track = PoseTrack(tolerance_ns=S)
    track.add(0, at(0))
    track.add(S, at(2, xyzw=QUARTER_LEFT))
    half = track.at(S // 2)
    c = np.sqrt(0.5)
    np.testing.assert_allclose(half[:3, 3], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(half[:3, :3], [[c, -c, 0], [c, c, 0], [0, 0, 1]], atol=1e-12)


def test_a_third_of_a_quarter_turn_is_thirty_degrees() -> None:
    track = PoseTrack(tolerance_ns=S)
    track.add(0, at(0))
    track.add(3 * S, at(3, xyzw=-QUARTER_LEFT))
    third = track.at(S)
    assert np.degrees(np.arctan2(third[1, 0], third[0, 0])) == pytest.approx(30)
    assert third[0, 3] == pytest.approx(1)


def test_stamps_outside_and_in_gaps_have_no_pose() -> None:
    track = PoseTrack(tolerance_ns=S // 10)
    with pytest.raises(TransformNotYet):
        track.at(0)
    track.add(S, at(0))
    track.add(2 * S, at(1))
    with pytest.raises(TransformUnknown):
        track.at(S - 1)
    with pytest.raises(TransformNotYet):
        track.at(2 * S + 1)
    with pytest.raises(TransformUnknown, match=r"0\.500 s away"):
        track.at(3 * S // 2)
    assert track.at(S + S // 10)[0, 3] == pytest.approx(0.1)


def test_late_poses_are_put_in_order_and_jumps_start_anew() -> None:
    track = PoseTrack(tolerance_ns=S)
    track.add(10 * S, at(0))
    track.add(12 * S, at(2))
    track.add(11 * S + S // 2, at(9))
    assert track.at(11 * S + S // 4 * 3)[0, 3] == pytest.approx(5.5)
    track.add(S, at(7))
    assert len(track) == 1
    assert track.at(S)[0, 3] == 7


def test_a_track_is_bounded() -> None:
    track = PoseTrack(tolerance_ns=S, capacity=3)
    for index in range(5):
        track.add(index * S, at(index))
    assert len(track) == 3
    with pytest.raises(TransformUnknown):
        track.at(S)


def test_a_bad_pose_is_refused() -> None:
    with pytest.raises(SourceError, match="NaN"):
        PoseTrack().add(0, at(np.nan))
    with pytest.raises(SourceError, match="NaN"):
        TransformTree().add("a", "b", 0, at(np.inf), static=True)


def make_tree() -> TransformTree:
    tree = TransformTree(tolerance_ns=S // 10)
    for index in range(5):
        tree.add("/odom", "base_link", index * S // 5, at(index, xyzw=QUARTER_LEFT))
    tree.add("base_link", "camera_link", 0, at(0.5, 0, 0.2), static=True)
    tree.add("camera_link", "/camera_optical", 0, at(0, 0.1, 0), static=True)
    return tree


def test_lookup_through_moving_and_static_links() -> None:
    # The robot at x = 1.5 faces +y, so 0.5 ahead of it is +y, and 0.1 to its left is -x.
    world_from_camera = make_tree().lookup("odom", "camera_optical", 3 * S // 10)
    np.testing.assert_allclose(world_from_camera[:3, 3], [1.4, 0.5, 0.2], atol=1e-12)


def test_lookup_upwards_is_the_inverse_and_sideways_meets_at_the_common_parent() -> None:
    tree = make_tree()
    stamp = 3 * S // 10
    down, up = tree.lookup("odom", "camera_link", stamp), tree.lookup("camera_link", "odom", stamp)
    np.testing.assert_allclose(up, rigid_inverse(down), atol=1e-12)
    tree.add("base_link", "lidar", 0, at(0.1), static=True)
    lidar_from_camera = tree.lookup("lidar", "camera_link", 99 * S)
    np.testing.assert_allclose(lidar_from_camera[:3, 3], [0.4, 0, 0.2], atol=1e-12)


def test_what_is_missing_is_never_identity() -> None:
    tree = make_tree()
    with pytest.raises(TransformUnknown, match="map"):
        tree.lookup("map", "camera_optical", 0)
    with pytest.raises(TransformNotYet):
        tree.lookup("odom", "camera_optical", S)
    with pytest.raises(SourceError):
        tree.add("", "x", 0, at(0))


def test_questions_about_the_tree() -> None:
    tree = make_tree()
    assert tree.root("camera_optical") == "odom"
    assert tree.moves("odom", "camera_optical")
    assert not tree.moves("base_link", "camera_optical")
    assert tree.is_connected("/camera_optical", "/odom")
    assert "odom" in tree and "map" not in tree
    tree.clear()
    assert tree.root("camera_optical") == "base_link"


def test_a_ring_is_an_error_and_not_a_hang() -> None:
    tree = TransformTree()
    tree.add("a", "b", 0, at(0))
    tree.add("b", "a", 0, at(0))
    with pytest.raises(TransformUnknown, match="ring"):
        tree.lookup("a", "b", 0)


def test_a_slow_link_is_interpolated_but_a_dropout_is_not() -> None:
    tree = TransformTree(tolerance_ns=S // 10)
    for second in (0, 1, 2, 3, 4, 9):
        tree.add("map", "odom", second * S, at(second))
    assert tree.lookup("map", "odom", S // 2)[0, 3] == pytest.approx(0.5)
    with pytest.raises(TransformUnknown, match="away"):
        tree.lookup("map", "odom", 6 * S)
