# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rays drawn by the kernel: pixels, foreground, and those of keyframes that left."""

import numpy as np
import pytest
import torch
from tiny_scene import CAMERA, pose, wall_frame

from ineus_core.kernels.ray_batch import drawn_rays
from ineus_core.keyframes import KeyframeBuffer, KeyframeConfig, Replay, ReplayConfig

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")


def replay_of(has_foreground: bool, **settings: float) -> tuple[Replay, KeyframeBuffer]:
    """Two frames: one whose left half is object, one of which nobody knows."""
    mask = np.ones((CAMERA.height_px, CAMERA.width_px), dtype=bool)
    mask[:5] = False
    foreground = np.zeros_like(mask)
    foreground[:, : CAMERA.width_px // 2] = True
    buffer = KeyframeBuffer(KeyframeConfig(capacity=4), CAMERA, GPU, has_foreground)
    buffer.add(wall_frame(0, mask=mask, foreground=foreground))
    buffer.add(wall_frame(1, depth_m=None, world_from_camera=pose(x=5.0)))
    replay = Replay(ReplayConfig(**settings), buffer, torch.Generator(GPU).manual_seed(0))  # type: ignore[arg-type]
    replay.on_keyframe_added()
    return replay, buffer


def drawn(replay: Replay, rays: int = 1001) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Kind, column and row of drawn rays; -1 for the row of rays of the second frame."""
    from ineus_core.kernels.ray_batch.gpu import draw

    out = drawn_rays(rays, GPU)
    out.kind.fill_(255)
    counter = torch.tensor(7, dtype=torch.int64, device=GPU)
    draw(replay.store(), counter, replay.width_px, replay.depth_step_m, 0.0, out)
    # Red tells the column and green the row, both rounded down.
    column, row = (out.rgb[:, i] * size for i, size in enumerate((CAMERA.width_px, 30)))
    row = torch.where(out.origins[:, 0] > 1.0, -1, (row - 1e-3).ceil())
    return out.kind.cpu(), (column - 1e-3).ceil().cpu(), row.cpu()


@pytest.mark.parametrize("from_reservoir", [False, True])
def test_rays_know_whether_they_show_the_object(from_reservoir: bool) -> None:
    share = 1.0 if from_reservoir else 0.0
    replay, buffer = replay_of(True, reservoir_share=share, newest_share=0.0)
    for slot in buffer.slots if from_reservoir else []:
        replay.keep_rays_of(slot)
    kind, column, row = drawn(replay)
    expected = 3 + torch.where(column < CAMERA.width_px // 2, 8, 4)
    expected[row < 5] = 0
    expected[row < 0] = 1
    assert set(expected.tolist()) == {0, 1, 7, 11}
    assert torch.equal(kind.long(), expected)


def test_without_a_store_of_it_nothing_is_known() -> None:
    replay, _ = replay_of(False, newest_share=0.0)
    kind, _, row = drawn(replay)
    assert torch.equal(kind.long(), torch.where(row < 0, 1, torch.where(row < 5, 0, 3)))


@pytest.mark.parametrize("from_reservoir", [False, True])
def test_rays_know_how_much_of_the_object_they_show(from_reservoir: bool) -> None:
    from ineus_core.kernels.ray_batch.gpu import draw

    shares = np.tile(np.linspace(0, 1, CAMERA.width_px, dtype=np.float32), (30, 1))
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, GPU, has_foreground=True)
    buffer.add(wall_frame(foreground=shares))
    config = ReplayConfig(reservoir_share=1.0 if from_reservoir else 0.0)
    replay = Replay(config, buffer, torch.Generator(GPU).manual_seed(0))
    replay.on_keyframe_added()
    if from_reservoir:
        replay.keep_rays_of(buffer.slots[0])
    out = drawn_rays(300, GPU)
    counter = torch.tensor(3, dtype=torch.int64, device=GPU)
    draw(replay.store(), counter, replay.width_px, replay.depth_step_m, 0.0, out)
    # Red tells the column.
    expected = (out.rgb[:, 0] * CAMERA.width_px - 1e-3).ceil() / (CAMERA.width_px - 1)
    torch.testing.assert_close(out.foreground, expected, atol=0.005, rtol=0)


@pytest.mark.parametrize("from_reservoir", [False, True])
def test_rays_know_how_sure_their_depth_is(from_reservoir: bool) -> None:
    from ineus_core.kernels.ray_batch.gpu import draw

    sure = np.tile(np.linspace(0, 1, CAMERA.width_px, dtype=np.float32), (30, 1))
    buffer = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, GPU, has_confidence=True)
    buffer.add(wall_frame(depth_confidence=sure))
    config = ReplayConfig(reservoir_share=1.0 if from_reservoir else 0.0)
    replay = Replay(config, buffer, torch.Generator(GPU).manual_seed(0))
    replay.on_keyframe_added()
    if from_reservoir:
        replay.keep_rays_of(buffer.slots[0])
    out = drawn_rays(3000, GPU, has_confidence=True)
    assert out.depth_weight is not None
    counter = torch.tensor(3, dtype=torch.int64, device=GPU)
    draw(replay.store(), counter, replay.width_px, replay.depth_step_m, 0.0, out)
    # Red tells the column.
    expected = (out.rgb[:, 0] * CAMERA.width_px - 1e-3).ceil() / (CAMERA.width_px - 1)
    if from_reservoir:
        # As much depth is left as was trusted, and that counts as a whole.
        assert bool((out.depth_weight == 1).all())
        left = (out.range_m > 0).float()
        assert float((left - expected).mean().abs()) < 0.05
        assert float(left[expected > 0.8].mean()) > 0.8
        assert float(left[expected < 0.2].mean()) < 0.2
    else:
        torch.testing.assert_close(out.depth_weight, expected, atol=0.01, rtol=0)


def test_the_rays_of_a_batch_may_be_of_one_keyframe() -> None:
    from ineus_core.kernels.ray_batch.gpu import draw

    replay, _ = replay_of(False, newest_share=0.0)
    out, seen = drawn_rays(100, GPU), set()
    for number in range(20):
        counter = torch.tensor(number, dtype=torch.int64, device=GPU)
        draw(replay.store(), counter, replay.width_px, replay.depth_step_m, 0.0, out, True)
        origins = set(out.origins[:, 0].tolist())
        assert len(origins) == 1
        # Pixels differ all the same.
        assert len(set(out.rgb[:, 0].tolist())) > 10
        seen |= origins
    assert seen == {0.0, 5.0}
