# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing of rays: where they point, how often each keyframe comes, what has left the buffer."""

import numpy as np
import pytest
import torch
from tiny_scene import CAMERA, CPU, pose, wall_frame

from ineus_core.keyframes import KeyframeBuffer, KeyframeConfig, Replay, ReplayConfig
from ineus_core.types import Frame, RayBatch


def replay_of(frames: list[Frame], capacity: int = 8, **settings: float) -> Replay:
    buffer = KeyframeBuffer(KeyframeConfig(capacity=capacity), frames[0].camera, CPU)
    replay = Replay(ReplayConfig(**settings), buffer, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    for frame in frames:
        add(replay, buffer, frame)
    return replay


def add(replay: Replay, buffer: KeyframeBuffer, frame: Frame) -> None:
    leaving = buffer.slot_to_free()
    if leaving is not None:
        replay.keep_rays_of(leaving)
    buffer.add(frame)
    replay.on_keyframe_added()


def rows_and_columns(batch: RayBatch) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a wall frame by its colours."""
    column = (batch.rgb[:, 0] * 40).ceil().int().numpy()
    row = (batch.rgb[:, 1] * 30).ceil().int().numpy()
    return row, column


def test_a_ray_points_at_the_depth_of_its_pixel() -> None:
    at = pose(0.5, -1.0, 2.0, yaw_deg=30.0)
    batch = replay_of([wall_frame(world_from_camera=at)]).draw(500)
    points = (batch.origins + batch.directions * batch.range_m[:, None]).double().numpy()
    row, column = rows_and_columns(batch)
    expected = np.stack(
        ((column + 0.5 - 20) / 30 * 2.0, (row + 0.5 - 15) / 30 * 2.0, np.full(500, 2.0)), axis=1
    )
    np.testing.assert_allclose(points, expected @ at[:3, :3].T + at[:3, 3], atol=2e-3)
    assert bool(batch.valid.all())
    assert bool(batch.has_depth.all())
    torch.testing.assert_close(batch.directions.norm(dim=1), torch.ones(500))


def test_normals_of_a_plane_by_hand() -> None:
    # The plane z = 2 + x / 2: normal (1, 0, -2) / sqrt(5), which points to the camera.
    column = np.arange(40) + 0.5
    slope = (column - 20) / 30
    depth_m = np.tile((2.0 / (1 - 0.5 * slope)).astype(np.float32), (30, 1))
    frame = Frame(0, CAMERA, pose(), np.zeros((30, 40, 3), dtype=np.uint8), depth_m)
    normal = replay_of([frame]).draw(400).normal
    known = (normal != 0).any(dim=1)
    assert known.float().mean() > 0.9
    expected = torch.tensor([1.0, 0.0, -2.0]) / 5**0.5
    torch.testing.assert_close(
        normal[known], expected.expand(int(known.sum()), 3), atol=0.02, rtol=0
    )


def test_normals_turn_with_the_camera() -> None:
    at = pose(yaw_deg=90.0)
    normal = replay_of([wall_frame(world_from_camera=at)]).draw(50).normal
    # The camera looks along x, so the wall looks back along -x.
    torch.testing.assert_close(
        normal, torch.tensor([[-1.0, 0, 0]]).expand(50, 3), atol=1e-3, rtol=0
    )


def test_across_an_edge_and_beside_a_hole_the_normal_is_unknown() -> None:
    depth_m = np.full((30, 40), 2.0, dtype=np.float32)
    depth_m[:, 20:] = 4.0
    depth_m[10] = 0.0
    frame = Frame(0, CAMERA, pose(), wall_frame().rgb, depth_m)
    batch = replay_of([frame]).draw(2000)
    row, column = rows_and_columns(batch)
    unknown = (batch.normal == 0).all(dim=1).numpy()
    assert unknown[(column == 19) | (column == 20)].all()
    assert unknown[np.abs(row - 10) <= 1].all()
    assert not unknown[(row > 15) & (column < 15)].any()


def test_masked_pixels_are_not_valid_and_missing_depth_has_none() -> None:
    mask = np.ones((30, 40), dtype=bool)
    mask[:, :20] = False
    batch = replay_of([wall_frame(depth_m=None, mask=mask)]).draw(500)
    _, column = rows_and_columns(batch)
    assert (batch.valid.numpy() == (column >= 20)).all()
    assert not batch.has_depth.any()
    assert batch.range_m.abs().sum() == 0


def test_the_newest_keyframes_come_more_often() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(8)]
    batch = replay_of(frames, newest_share=0.5, newest_keyframes=2).draw(20_000)
    share = torch.bincount(batch.origins[:, 0].round().long(), minlength=8) / 20_000
    # Half is spread over all eight, the other half over the last two.
    expected = torch.tensor([1 / 16] * 6 + [1 / 16 + 1 / 4] * 2)
    torch.testing.assert_close(share, expected, atol=0.015, rtol=0)


def test_slots_that_are_still_empty_are_never_drawn() -> None:
    replay = replay_of([wall_frame(i, world_from_camera=pose(z=1.0)) for i in range(3)])
    replay._generator.manual_seed(1)
    # The draw that rounding would have put behind the last keyframe.
    replay._uniform = lambda count: torch.full((count,), 1.0 - 2.0**-24)  # type: ignore[method-assign]
    assert bool((replay.draw(100).origins[:, 2] == 1.0).all())


def test_what_leaves_the_buffer_stays_in_the_reservoir() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(14)]
    replay = replay_of(frames[:4], capacity=4, rays_kept_per_keyframe=100)
    assert set(replay.draw(500).origins[:, 0].tolist()) == {0.0, 1.0, 2.0, 3.0}
    buffer = replay._buffer
    for frame in frames[4:]:
        add(replay, buffer, frame)
    batch = replay.draw(5000)
    held = {float(p[0, 3]) for p in buffer.poses}
    old = torch.tensor([x not in held for x in batch.origins[:, 0].tolist()])
    assert old.float().mean().item() == pytest.approx(0.2, abs=0.03)
    points = batch.origins + batch.directions * batch.range_m[:, None]
    torch.testing.assert_close(points[:, 2], torch.full((5000,), 2.0), atol=2e-3, rtol=0)
    assert set(batch.origins[:, 0].tolist()) == set(map(float, range(14)))


def test_a_full_reservoir_forgets_at_random_and_keeps_its_size() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(10)]
    replay = replay_of(frames, capacity=2, reservoir_rays=150, rays_kept_per_keyframe=100)
    saved = replay.rays_to_save()
    # 150 of the reservoir and 100 of each of the two that are held
    assert saved.shape == (350, 14)
    assert len(set(saved[:150, 0].tolist())) >= 3


def test_saved_rays_stand_for_all_keyframes_even_if_they_do_not_all_fit() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(8)]
    saved = replay_of(frames, rays_kept_per_keyframe=100).rays_to_save()
    fresh = replay_of([wall_frame()], reservoir_rays=200)
    fresh._buffer.slots.clear()
    fresh.keep(saved)
    assert set(fresh.draw(2000).origins[:, 0].tolist()) == set(map(float, range(8)))


def test_rays_survive_packing_unchanged() -> None:
    replay = replay_of([wall_frame()])
    fresh = replay_of([wall_frame()])
    saved = replay.rays_to_save()
    fresh.keep(saved)
    assert torch.equal(fresh._reservoir[: len(saved)], saved)
    assert not replay.is_empty


def test_without_a_keyframe_there_is_nothing_to_draw() -> None:
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU)
    assert Replay(ReplayConfig(), buffer, torch.Generator()).is_empty


def test_no_reservoir_if_none_is_wanted() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(5)]
    replay = replay_of(frames, capacity=2, reservoir_rays=0)
    assert len(set(replay.draw(500).origins[:, 0].tolist())) == 2


def test_rays_know_what_is_object_also_after_their_keyframe_has_left() -> None:
    left = np.tile(np.arange(40) < 20, (30, 1))
    unusable = np.tile(np.arange(30)[:, None] < 3, (1, 40))
    frame = wall_frame(foreground=left, mask=~unusable)
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_foreground=True)
    replay = Replay(ReplayConfig(reservoir_share=1.0), buffer, torch.Generator().manual_seed(0))
    add(replay, buffer, frame)
    for _ in range(2):
        batch = replay.draw(400)
        row, column = rows_and_columns(batch)
        assert batch.foreground is not None
        np.testing.assert_array_equal(batch.valid.numpy(), row >= 3)
        usable = batch.valid.numpy()
        np.testing.assert_array_equal(batch.foreground.numpy()[usable] == 1, (column < 20)[usable])
        assert bool((batch.foreground[batch.valid] >= 0).all())
        # The second time, all rays come out of the reservoir.
        replay.keep_rays_of(0)
    assert replay.has_foreground


def test_rays_of_frames_without_a_mask_are_of_unknown_foreground() -> None:
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_foreground=True)
    replay = Replay(ReplayConfig(reservoir_share=0.5), buffer, torch.Generator().manual_seed(0))
    add(replay, buffer, wall_frame())
    replay.keep_rays_of(0)
    assert torch.equal(replay.draw(50).foreground, torch.full((50,), -1.0))
    assert replay_of([wall_frame()]).draw(5).foreground is None


def test_the_rays_of_a_batch_may_be_of_one_keyframe() -> None:
    frames = [wall_frame(i, world_from_camera=pose(float(i))) for i in range(4)]
    replay, seen = replay_of(frames, one_keyframe=True), set()
    for _ in range(40):
        batch = replay.draw(50)
        origins = {tuple(origin) for origin in batch.origins.tolist()}
        assert len(origins) == 1
        assert len({tuple(ray) for ray in batch.directions.tolist()}) > 10
        seen |= origins
    assert seen == {(float(i), 0.0, 0.0) for i in range(4)}


def test_rays_know_how_sure_their_depth_is_also_after_their_keyframe_has_left() -> None:
    sure = np.full((30, 40), 0.5, dtype=np.float32)
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_confidence=True)
    replay = Replay(ReplayConfig(reservoir_share=1.0), buffer, torch.Generator().manual_seed(0))
    add(replay, buffer, wall_frame(depth_confidence=sure))
    weight = replay.draw(50).depth_weight
    assert weight is not None
    torch.testing.assert_close(weight, torch.full((50,), 63 / 127))
    replay.keep_rays_of(0)
    batch = replay.draw(2000)
    # Half of the depth is left, and that counts as a whole.
    assert batch.depth_weight is not None and bool((batch.depth_weight == 1).all())
    assert 0.4 < float(batch.has_depth.float().mean()) < 0.6
    assert replay_of([wall_frame()]).draw(5).depth_weight is None


def test_kept_returns_that_keyframes_contradict_are_not_used_any_more() -> None:
    replay = replay_of([wall_frame()], reservoir_share=1.0)
    replay.keep_rays_of(0)

    def nothing_on_the_left(points: torch.Tensor) -> torch.Tensor:
        return torch.where(points[:, 0] < 0, -1, 1).to(torch.int8)

    replay.judge_kept(nothing_on_the_left, (-2, 3))
    assert bool(replay.draw(500).valid.all())
    replay.judge_kept(nothing_on_the_left, (-2, 3))
    batch = replay.draw(2000)
    points = batch.origins + batch.directions * batch.range_m[:, None]
    assert torch.equal(batch.valid, points[:, 0] >= 0)
    # What is kept later begins without evidence.
    replay.keep_rays_of(0)
    assert bool(replay.draw(2000).valid.float().mean() > 0.6)
