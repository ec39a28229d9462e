# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A thing before a wall that comes and goes: what of it is trained on, told and meshed again."""

import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.keyframes import KeyframePolicy
from ineus_core.keyframes.buffer import MASKED
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame

THING = (slice(10, 20), slice(15, 25))
FAR_M = (500_000.0, 0.0, 0.0)


class KeepsAll:
    def is_keyframe(self, frame: Frame) -> bool:
        return True


def policy() -> KeyframePolicy:
    return KeepsAll()


def frame(index: int, has_thing: bool, x_m: float = 0.0) -> Frame:
    depth_m = np.full((30, 40), 3.0, np.float32)
    if has_thing:
        depth_m[THING] = 2.0
    return wall_frame(5 * index, depth_m, pose(x_m))  # type: ignore[arg-type]


def streamed(things: list[bool], x_m: float = 0.0, enabled: bool = True) -> Reconstructor:
    config = tiny_config(
        keyframes={"capacity": 16},
        dynamic_objects={"enabled": enabled},
        pose_refinement={"enabled": False},
    )
    made = Reconstructor(config, CPU, make_policy=policy)
    for index, has_thing in enumerate(things):
        made.add_frame(frame(index, has_thing, x_m))
    return made


def used(made: Reconstructor, index: int) -> np.ndarray:
    buffer = made.reconstruction.buffer
    slot = buffer.slots[index]
    return (buffer.depth[slot] != MASKED).view(30, 40).numpy()


def test_a_thing_that_has_gone_is_trained_on_no_more_and_its_blocks_are_meshed_again() -> None:
    made = streamed([True, False])
    assert used(made, 0).all()
    made.reconstruction.surface.dirty.clear()
    made.add_frame(frame(2, False))
    assert not used(made, 0)[THING].any()
    assert used(made, 0).sum() == 1200 - 100
    assert used(made, 1).all() and used(made, 2).all()
    thing_m = made.origin.points_in_map(np.array([[0.0, 0.0, 2.0]]))
    dirty = set(made.reconstruction.surface.dirty.take(10_000))
    assert set(made.reconstruction.surface.dirty.touched(thing_m)) <= dirty


def test_what_has_gone_is_free_for_planners_although_many_saw_it() -> None:
    made = streamed([True] * 8)

    def is_occupied() -> bool:
        scene = made.reconstruction.planning_scene()
        middle = made.origin.points_in_map(np.array([[0.02, 0.02, 2.0]]))
        cell = np.floor((middle[0] - scene.low_m.numpy()) / scene.cell_m).astype(int)
        return bool(scene.log_odds[tuple(cell)] > 0)

    assert is_occupied()
    for index in range(8, 13):
        made.add_frame(frame(index, False))
    assert not is_occupied()


def test_a_thing_that_appears_is_told_at_once_and_trained_on_when_it_stays() -> None:
    made = streamed([False, False, True])
    assert not used(made, 2)[THING].any()
    assert len(made.dynamic_points()) == 100
    assert made.dynamic_points()[:, 2] == pytest.approx(2.0)
    for index in (3, 4):
        made.add_frame(frame(index, True))
    # Half a second from one to the next: it has stayed for a second.
    assert used(made, 2)[THING].all() and used(made, 4)[THING].all()
    assert len(made.dynamic_points()) == 0


def test_points_are_told_in_the_world_however_far_it_is() -> None:
    made = streamed([False, False, True], x_m=FAR_M[0])
    assert made.dynamic_points()[:, 0].mean() == pytest.approx(FAR_M[0], abs=0.1)
    assert made.dynamic_points().dtype == np.float64


def test_switched_off_nothing_is_left_out() -> None:
    made = streamed([True, False, False, True], enabled=False)
    assert all(used(made, index).all() for index in range(4))
    assert len(made.dynamic_points()) == 0
