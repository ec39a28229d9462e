# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames fused into sparse blocks: what they hold, how much memory they take, and back out."""

import numpy as np
import pytest
from tiny_scene import CAMERA, pose, wall_frame

from ineus_core.fusion import FusedVolume, FusionConfig, PosedImage
from ineus_core.kernels.depth_fusion import COLUMNS, SIDE
from ineus_core.types import Frame

_BLOCK_MB = 1e-6 * (4 * COLUMNS + 1) * SIDE**3


def _fuse(volume: FusedVolume, frame: Frame) -> np.ndarray:
    assert frame.depth_m is not None
    return volume.fuse(PosedImage(frame.depth_m, frame.rgb, frame.camera, frame.world_from_camera))


def _take_back(volume: FusedVolume, frame: Frame, image: int) -> None:
    assert frame.depth_m is not None
    posed = PosedImage(frame.depth_m, frame.rgb, frame.camera, frame.world_from_camera)
    volume.take_back(posed, image)


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


def test_corners_near_a_surface_are_those_in_the_view() -> None:
    volume = _volume()
    _fuse(volume, wall_frame())
    near = volume.near_surface(CAMERA, np.eye(4), within_m=0.06)
    assert set(np.unique(near[:, 2]).round(3)) == {1.95, 2.0, 2.05}
    # As wide as the view is there, and a block of 0.4 m.
    assert 1.2 < near[:, 0].max() < 1.34 + 0.4
    backwards = np.diag((-1.0, 1.0, -1.0, 1.0))
    assert len(volume.near_surface(CAMERA, backwards, within_m=0.06)) == 0


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
    _take_back(volume, wrong, volume.images)
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


def test_pixels_that_are_taken_back_leave_what_all_others_tell() -> None:
    # A thing that goes while another one comes nearer, in blocks that were not in use before.
    with_thing, with_other = (np.full((30, 40), 2.0, np.float32) for _ in range(2))
    with_thing[10:20, 15:25] = 1.6
    with_other[10:20, 18:28] = 1.0
    seen = np.ones((30, 40), bool)
    seen[10:20, 15:25] = False
    first, second = wall_frame(depth_m=with_thing), wall_frame(depth_m=with_other)  # type: ignore[arg-type]
    rest = wall_frame(depth_m=np.where(seen, with_thing, 0).astype(np.float32))  # type: ignore[arg-type]
    changed, at_once = _volume(), _volume()
    for volume, is_gone_first in ((changed, False), (at_once, True)):
        _fuse(volume, first)
        if is_gone_first:
            _take_back(volume, first, 1)
        _fuse(volume, second)
        if not is_gone_first:
            _take_back(volume, first, 1)
        _fuse(volume, rest)
    ones, others = (volume.state()["values"].numpy() for volume in (changed, at_once))
    np.testing.assert_allclose(ones[..., 1], others[..., 1], atol=1e-4)
    is_known = others[..., 1] > 0
    assert is_known.sum() > 1000
    np.testing.assert_allclose(ones[is_known], others[is_known], atol=2e-2)


def test_hundreds_of_frames_that_are_taken_back_leave_nothing() -> None:
    volume = _volume()
    frames = [wall_frame(world_from_camera=pose(x=0.1 * np.sin(n))) for n in range(300)]
    for frame in frames:
        _fuse(volume, frame)
    for number, frame in enumerate(frames):
        _take_back(volume, frame, number + 1)
    # Blocks that came into use late, at the rim, have nothing of the first ones.
    assert not volume.state()["values"][..., 1].any()
