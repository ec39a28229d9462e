# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that stands before a wall while something comes and goes."""

import numpy as np
import pytest

from ineus_core.dynamic_objects import DynamicFilter, DynamicObjectsConfig, Verdict
from ineus_core.types import Camera, Frame, KeyframeId

CAMERA = Camera(40, 30, 40.0, 40.0, 20.0, 15.0)
WALL_M, THING_M = 3.0, 2.0
THING = (slice(10, 20), slice(15, 25))
MIDDLE = (15, 20)


def frame(second: float, has_thing: bool = False) -> Frame:
    depth_m = np.full((30, 40), WALL_M, np.float32)
    if has_thing:
        depth_m[THING] = THING_M
    rgb = np.zeros((30, 40, 3), np.uint8)
    return Frame(round(1e9 * second), CAMERA, np.eye(4), rgb, depth_m)


def key(second: float) -> KeyframeId:
    return round(1e9 * second), 0


def made(settle_s: float = 1.0) -> DynamicFilter:
    return DynamicFilter(DynamicObjectsConfig(settle_s=settle_s), 16, 0.1, 10.0)


def is_used(verdict: Verdict, at: tuple[int, int] = MIDDLE) -> bool:
    return verdict.frame.mask is None or bool(verdict.frame.mask[at])


def test_of_a_frame_between_keyframes_what_was_just_free_is_left_out() -> None:
    found = made()
    assert found.passing(frame(0.1, has_thing=True)).mask is None
    for second in (0.0, 0.2, 0.4):
        found.add(frame(second))
    between = frame(0.5, has_thing=True)
    assert found.passing(frame(0.5)).mask is None
    mask = found.passing(between).mask
    assert mask is not None and not mask[THING].any() and mask[0].all()
    # A keyframe holds it back, until one shows it a second later.
    found.add(frame(0.6, has_thing=True))
    left_out = found.passing(frame(1.0, has_thing=True)).mask
    assert left_out is not None and not left_out[MIDDLE]
    assert found.passing(frame(1.7, has_thing=True)).mask is None
    assert len(found.take_counts()) == 1


def test_where_nothing_changes_frames_stay_as_they_are() -> None:
    found = made()
    for second in range(6):
        given = frame(second)
        verdict = found.add(given)
        assert verdict.frame is given and not verdict.excluded and not verdict.released
    assert not found.take_counts()


def test_what_was_there_from_the_start_is_excluded_when_two_keyframes_look_through_it() -> None:
    found = made()
    found.add(frame(0, has_thing=True))
    assert not found.add(frame(1)).excluded
    excluded = found.add(frame(2)).excluded
    assert list(excluded) == [key(0)]
    assert excluded[key(0)][THING].all()
    # No more: the wall beside it was shown twice.
    assert excluded[key(0)].sum() == 100


@pytest.mark.parametrize(("rows_without_return", "all_goes"), [(4, True), (7, False)])
def test_what_moves_goes_as_a_whole_where_most_of_it_was_looked_through(
    rows_without_return: int, all_goes: bool
) -> None:
    found = made()
    found.add(frame(0, has_thing=True))
    for second in (1, 2):
        later = frame(second)
        assert later.depth_m is not None
        later.depth_m[20 - rows_without_return : 20, 15:25] = 0.0
        verdict = found.add(later)
    excluded = verdict.excluded[key(0)]
    assert excluded[THING].all() == all_goes
    assert excluded[10:12, 15:25].all() and excluded.sum() <= 100


def test_what_appears_in_free_space_is_held_back_and_dropped_when_it_has_gone() -> None:
    found = made()
    for second in (0.0, 0.5):
        found.add(frame(second))
    verdict = found.add(frame(1.0, has_thing=True))
    assert not is_used(verdict) and is_used(verdict, (2, 2))
    assert len(found.held_back_points()) == 100
    assert found.held_back_points()[:, 2] == pytest.approx(THING_M)
    # Free before and after: two views, of which one is enough after it.
    assert list(found.add(frame(1.5)).excluded) == [key(1.0)]
    assert len(found.held_back_points()) == 0


def test_what_is_still_there_a_moment_later_may_be_on_its_way() -> None:
    found = made()
    found.add(frame(0.0))
    for second in (0.5, 0.7, 0.9):
        # Seen free once only, which is not enough to hold it back.
        assert is_used(found.add(frame(second, has_thing=True)))
    assert set(found.add(frame(1.2)).excluded) == {key(0.5), key(0.7), key(0.9)}


def test_what_stood_there_a_while_ago_is_not_doubted_for_one_view_through_it() -> None:
    found = made()
    found.add(frame(0.0, has_thing=True))
    found.add(frame(1.0))
    found.add(frame(1.2, has_thing=True))
    assert not found.add(frame(1.4)).excluded.get(key(1.2), np.zeros((30, 40), bool)).any()


def test_what_stays_is_taken_in_after_a_second() -> None:
    found = made()
    for second in (0.0, 0.5):
        found.add(frame(second))
    assert not is_used(found.add(frame(1.0, has_thing=True)))
    early = found.add(frame(1.5, has_thing=True))
    assert not is_used(early) and not early.released
    late = found.add(frame(2.0, has_thing=True))
    assert is_used(late)
    (released,) = late.released
    assert released.stamp_ns == key(1.0)[0]
    assert released.mask is not None and released.mask[MIDDLE]


def test_what_stood_there_long_goes_after_five_keyframes_however_long_it_was() -> None:
    found = made()
    for second in range(7):
        found.add(frame(second, has_thing=True))
    excluded = [found.add(frame(second)).excluded for second in range(7, 13)]
    after = [key(0) in gone for gone in excluded]
    # Evidence of at most 3 falls to -2.
    assert after == [False, False, False, False, True, False]
    # The last one that showed it has no evidence yet.
    assert key(6) in excluded[1]


def test_frames_that_are_filled_later_keep_what_is_held_back_out() -> None:
    found = made()
    for second in (0.0, 0.5):
        found.add(frame(second))
    given = frame(1.0, has_thing=True)
    found.add(given)
    mask = found.usable(given).mask
    assert mask is not None and not mask[MIDDLE] and mask[2, 2]


def test_a_camera_that_moves_past_a_box_contradicts_nothing() -> None:
    """The box hides other parts of the wall from each place, which is no contradiction."""
    found = made()
    for number in range(6):
        given = frame(number, has_thing=True)
        # The box is 2 m away, the wall 3 m: its picture moves by other pixels than the wall's.
        shift = 2 * number
        depth_m = np.full((30, 40), WALL_M, np.float32)
        depth_m[10:20, 25 - shift : 33 - shift] = THING_M
        pose = np.eye(4)
        pose[0, 3] = shift * THING_M / CAMERA.fx
        moved = Frame(given.stamp_ns, CAMERA, pose, given.rgb, depth_m)
        verdict = found.add(moved)
        assert not verdict.excluded and is_used(verdict, (15, 28 - shift))


def test_keyframes_that_are_not_held_any_more_tell_nothing() -> None:
    found = made()
    for second in (0.0, 0.5):
        found.add(frame(second))
    found.hold_only([])
    assert is_used(found.add(frame(1.0, has_thing=True)))


def test_more_keyframes_than_there_is_room_for_push_out_the_oldest() -> None:
    found = made()
    for second in range(20):
        found.add(frame(second))
    assert is_used(found.add(frame(21)))


def test_a_camera_of_another_shape_is_left_alone() -> None:
    found = made()
    found.add(frame(0))
    upright = Camera(30, 40, 40.0, 40.0, 15.0, 20.0)
    rgb = np.zeros((40, 30, 3), np.uint8)
    other = Frame(10**9, upright, np.eye(4), rgb, np.full((40, 30), 2.0, np.float32))
    assert found.add(other).frame is other
    # Nor does it have an earlier keyframe judge kept rays a second time, or one that is not held.
    assert found.add(other).witness is None
    found.hold_only([])
    assert found.add(other).witness is None
    assert found.add(frame(2)).witness is not None
