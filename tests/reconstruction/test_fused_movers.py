# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A thing before a wall that comes and goes, in a map that is what was fused."""

import numpy as np
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.fused_map import FusedMap
from ineus_core.types import Frame

_THING = (slice(10, 20), slice(15, 25))
_THING_M, _WALL_M = 2.0, 3.0


class _KeepsAll:
    def is_keyframe(self, frame: Frame) -> bool:
        return True


class _KeepsHalf:
    """Keeps every second frame, so that those between them pass by."""

    def is_keyframe(self, frame: Frame) -> bool:
        return frame.stamp_ns % 1_000_000_000 == 0


def _frame(index: int, has_thing: bool) -> Frame:
    depth_m = np.full((30, 40), _WALL_M, np.float32)
    if has_thing:
        depth_m[_THING] = _THING_M
    # No two from the same place, so that nothing is as it was by chance.
    at = pose(x=0.03 * np.sin(index), y=0.02 * np.cos(index))
    return wall_frame(5 * index, depth_m, at)  # type: ignore[arg-type]


def _made(policy: type = _KeepsAll) -> Reconstructor:
    config = tiny_config(
        keyframes={"capacity": 16},
        pose_refinement={"enabled": False},
    )
    return Reconstructor(config, CPU, make_policy=policy)


def _streamed(things: list[bool]) -> Reconstructor:
    made = _made()
    for index, has_thing in enumerate(things):
        made.add_frame(_frame(index, has_thing))
    return made


def _fused(made: Reconstructor) -> FusedMap:
    fused = made.reconstruction.fused
    assert fused is not None
    return fused


def _vertices_before_the_wall(made: Reconstructor) -> int:
    made.extract_mesh(everything=True)
    z = made.mesh().vertices[:, 2]
    assert (z > _WALL_M - 0.2).sum() > 100
    return int((z < _WALL_M - 0.5).sum())


def test_of_a_thing_that_has_gone_there_is_no_surface() -> None:
    made = _streamed([True, True, True])
    assert _vertices_before_the_wall(made) > 50
    for index in range(3, 8):
        made.add_frame(_frame(index, False))
    assert _vertices_before_the_wall(made) == 0


def test_it_goes_from_the_blocks_that_are_meshed_as_they_change_too() -> None:
    made = _streamed([True, True, True])
    assert _vertices_before_the_wall(made) > 50
    for index in range(3, 8):
        made.add_frame(_frame(index, False))
    made.extract_mesh(everything=False)
    assert (made.mesh().vertices[:, 2] > _WALL_M - 0.5).all()


def test_a_walker_between_keyframes_leaves_nothing() -> None:
    made = _made(_KeepsHalf)
    for index in range(12):
        made.add_frame(_frame(index, has_thing=index < 5))
    assert len(made.keyframe_poses()) == 6
    assert _vertices_before_the_wall(made) == 0


def test_a_thing_that_stays_is_fused_when_it_is_taken_in() -> None:
    made = _streamed([False, False, True])
    assert _vertices_before_the_wall(made) == 0
    for index in (3, 4):
        made.add_frame(_frame(index, True))
    made.extract_mesh(everything=False)
    assert (made.mesh().vertices[:, 2] < _WALL_M - 0.5).sum() > 50


def test_where_something_has_gone_a_field_that_still_shows_it_is_not_believed() -> None:
    made = _streamed([True, True, True])
    volume = _fused(made).volume
    volume.shares[:] = 1
    for index in range(3, 8):
        made.add_frame(_frame(index, False))
    at_thing = np.array([[0.0, 0.0, _THING_M]])
    assert volume.shares[volume.slots_at(at_thing)].max() == 0
    at_wall = np.array([[0.8, 0.6, _WALL_M]])
    assert volume.shares[volume.slots_at(at_wall)].min() == 1
