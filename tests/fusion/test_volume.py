# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames fused into sparse blocks: what they hold, how much memory they take, and back out."""

import numpy as np
import pytest
from tiny_scene import CAMERA, pose, wall_frame

from ineus_core.fusion import FusedVolume, FusionConfig
from ineus_core.kernels.depth_fusion import COLUMNS, SIDE
from ineus_core.types import Frame

_BLOCK_MB = 4e-6 * COLUMNS * SIDE**3


def _fuse(volume: FusedVolume, frame: Frame) -> np.ndarray:
    assert frame.depth_m is not None
    return volume.fuse(frame.depth_m, frame.rgb, frame.camera, frame.world_from_camera)


def _volume(**settings: float) -> FusedVolume:
    return FusedVolume(FusionConfig(**settings), voxel_m=0.05)  # type: ignore[arg-type]


def test_a_wall_is_where_it_was_measured_and_has_its_colour() -> None:
    volume = _volume()
    rgb = np.full((CAMERA.height_px, CAMERA.width_px, 3), (200, 100, 50), np.uint8)
    _fuse(volume, wall_frame(rgb=rgb))
    found = volume.at(np.array([[0.11, 0.07, 1.93], [0.3, -0.2, 2.0], [0.1, 0.1, 2.05]]))
    np.testing.assert_allclose(found.distance_m, [0.07, 0.0, -0.05], atol=2e-3)
    np.testing.assert_allclose(found.rgb[1], [200, 100, 50], atol=1e-3)
    assert (found.known > 0.999).all()
    nothing = volume.at(np.array([[0.0, 0.0, 1.0], [9.0, 9.0, 9.0]]))
    assert not nothing.known.any()
    assert volume.slots_at(np.array([[9.0, 9.0, 9.0]])).tolist() == [-1]


def test_a_wall_seen_aslant_is_no_farther_than_it_is() -> None:
    # Along the rays of a camera that is turned by 50 degrees it would be 1.5 times as far.
    volume, view = _volume(), pose(yaw_deg=50.0)
    rays = np.stack(
        np.broadcast_arrays(
            (np.arange(320) + 0.5 - 160) / 240, ((np.arange(240) + 0.5 - 120) / 240)[:, None], 1.0
        ),
        axis=-1,
    )
    ahead = (rays @ view[:3, :3].T)[..., 2]
    depth_m = np.where(ahead > 0.3, 2.0 / np.maximum(ahead, 0.3), 0).astype(np.float32)
    _fuse(
        volume,
        Frame(0, CAMERA.resized(320, 240), view, np.zeros((240, 320, 3), np.uint8), depth_m),
    )
    found = volume.at(np.array([[2.0, 0.0, 1.9], [2.0, 0.0, 1.95]]))
    np.testing.assert_allclose(found.distance_m, [0.1, 0.05], atol=0.01)


def test_a_frame_that_is_taken_back_leaves_nothing() -> None:
    volume, wrong = _volume(), wall_frame(depth_m=1.5)
    _fuse(volume, wall_frame())
    there = np.array([[0.1, 0.1, 2.0]])
    before = volume.at(there).distance_m
    assert wrong.depth_m is not None
    _fuse(volume, wrong)
    volume.take_back(wrong.depth_m, wrong.rgb, wrong.camera, wrong.world_from_camera)
    np.testing.assert_allclose(volume.at(there).distance_m, before, atol=1e-5)
    assert volume.at(np.array([[0.1, 0.1, 1.5]])).known[0] == 0


def test_memory_is_bounded_and_what_was_seen_longest_ago_makes_room() -> None:
    volume = _volume(memory_mb=200.5 * _BLOCK_MB)
    for x in range(8):
        _fuse(volume, wall_frame(x, world_from_camera=pose(x=2.0 * x)))
        assert len(volume) <= 200
        assert volume.nbytes <= 1e6 * 200.5 * _BLOCK_MB
    assert volume.at(np.array([[14.0, 0.0, 2.0]])).known[0] == 1
    assert volume.at(np.array([[0.0, 0.0, 2.0]])).known[0] == 0
    assert len(set(volume.slots_in_use.tolist())) == len(volume)


def test_a_frame_that_shows_more_than_there_is_room_for_is_fused_in_part() -> None:
    volume = _volume(memory_mb=2.5 * _BLOCK_MB)
    assert len(_fuse(volume, wall_frame())) == 2
    assert len(volume) == 2


def test_a_frame_without_returns_needs_no_block() -> None:
    volume = _volume()
    _fuse(volume, wall_frame(depth_m=0.0))
    assert (len(volume), volume.nbytes) == (0, 0)


def test_what_was_saved_comes_back() -> None:
    volume = _volume()
    _fuse(volume, wall_frame())
    volume.shares[volume.slots_in_use] = np.random.default_rng(0).uniform(size=(len(volume), 2))
    again = FusedVolume.from_state(FusionConfig(), volume.state())
    points = np.random.default_rng(1).uniform(-1, 3, (200, 3))
    one, other = volume.at(points), again.at(points)
    np.testing.assert_array_equal(one.distance_m, other.distance_m)
    np.testing.assert_array_equal(one.rgb, other.rgb)
    np.testing.assert_array_equal(one.shares, other.shares)


@pytest.mark.parametrize("name", ["values", "shares", "blocks"])
def test_what_cannot_be_fused_blocks_is_refused(name: str) -> None:
    volume = _volume()
    _fuse(volume, wall_frame())
    state = volume.state()
    state[name] = state[name][:-1]
    with pytest.raises(ValueError, match="of shape"):
        FusedVolume.from_state(FusionConfig(), state)
