# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Holes of the depth are closed where a plane goes through them and colours agree, else not."""

from dataclasses import replace

import numpy as np
import torch
from tiny_scene import CPU, tiny_config

from ineus_core.geometry import look_at
from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.completion import CompletionConfig, DepthCompletion
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.render import render_scene
from ineus_core.sources.synthetic.shapes import Texture, box, half_space
from ineus_core.types import Camera, Frame

CAMERA = Camera(160, 120, 130.0, 130.0, 80.0, 60.0)
BELIEVED = DepthConfig()
UP = np.array((0.0, 0.0, 1.0))
BLACK = (0.1, 0.1, 0.1)


def frames_of_screen(stands_out_m: float) -> tuple[list[Frame], list[np.ndarray]]:
    """Render views of a wall with a black screen that returns nothing, and the true depth."""
    screen = box((0.7, 2 * stands_out_m, 0.5))
    wall = Part(half_space(1, -1, 2.0), Texture("noise", (0.9, 0.8, 0.7), (0.8, 0.5, 0.2), 0.3))
    black = Part(screen, Texture("noise", BLACK, BLACK, 0.3), (0.0, 2.0, 0.0))
    scene = AnalyticScene([[wall], [black]], np.array([[-3.0, -1, -3], [3, 3, 3]]))
    frames, truth = [], []
    for index, x in enumerate((-0.9, -0.45, 0.0, 0.45, 0.9)):
        eye = np.array((x, 0.0, 0.2))
        pose = look_at(eye, np.array((0.2 * x, 2.0, 0.0)), UP)
        view = render_scene(scene, CAMERA, pose, np.zeros(3, np.uint8), 20.0)
        is_black = view.rgb.max(axis=2) < 50
        depth_m = np.where(is_black, np.float32(0), view.depth_m)
        frames.append(Frame(index, CAMERA, pose, view.rgb, depth_m))
        truth.append(view.depth_m)
    return frames, truth


def test_a_screen_in_the_wall_is_closed_once_it_was_seen_from_elsewhere() -> None:
    frames, truth = frames_of_screen(stands_out_m=0.002)
    completion = DepthCompletion(CompletionConfig(), BELIEVED)
    closed = [completion.completed(frame) for frame in frames]
    # The first view has no reference_view; it stays as it is.
    assert closed[0] is frames[0]
    for frame, whole, depth_m in list(zip(closed, frames, truth, strict=True))[2:]:
        assert frame.depth_m is not None and whole.depth_m is not None
        was_hole = whole.depth_m == 0
        assert np.mean(frame.depth_m[was_hole] > 0) > 0.95
        filled = was_hole & (frame.depth_m > 0)
        assert np.abs(frame.depth_m - depth_m)[filled].max() < 0.02
        np.testing.assert_array_equal(frame.depth_m[~was_hole], whole.depth_m[~was_hole])


def test_a_screen_before_the_wall_is_not_pressed_into_it() -> None:
    frames, _ = frames_of_screen(stands_out_m=0.15)
    completion = DepthCompletion(CompletionConfig(), BELIEVED)
    assert all(completion.completed(frame) is frame for frame in frames)


def test_no_witness_closes_nothing() -> None:
    frames, _ = frames_of_screen(stands_out_m=0.002)
    completion = DepthCompletion(CompletionConfig(reference_views=0), BELIEVED)
    assert all(completion.completed(frame) is frame for frame in frames)


def test_a_corrected_pose_is_that_of_the_witness() -> None:
    frames, _ = frames_of_screen(stands_out_m=0.002)
    wrong = np.eye(4)
    wrong[:3, 3] = (0.0, 0.0, 0.8)
    moved = [replace(f, world_from_camera=wrong @ f.world_from_camera) for f in frames[:4]]
    off, back = (DepthCompletion(CompletionConfig(), BELIEVED) for _ in range(2))
    for completion in (off, back):
        for frame in moved:
            completion.completed(frame)
    back.move({(f.stamp_ns, f.camera_id): f.world_from_camera for f in frames[:4]})
    assert off.completed(frames[4]) is frames[4]
    assert back.completed(frames[4]) is not frames[4]


def test_a_mask_and_returns_within_a_hole_stay_as_they_are() -> None:
    frames, _ = frames_of_screen(stands_out_m=0.002)
    completion = DepthCompletion(CompletionConfig(), BELIEVED)
    for frame in frames[:4]:
        completion.completed(frame)
    last = frames[4]
    assert last.depth_m is not None
    mask = np.ones(last.depth_m.shape, bool)
    row, column = (int(np.median(of)) for of in np.nonzero(last.depth_m == 0))
    mask[row, column] = False
    closed = completion.completed(replace(last, mask=mask))
    assert closed.depth_m is not None
    assert closed.depth_m[row, column] == 0 and closed.depth_m[row, column + 1] > 0
    filled = (closed.depth_m > 0) & (last.depth_m == 0)
    counts = completion.take_counts()
    # What the first four have filled is counted as well.
    assert counts["depth_pixels_filled"] >= filled.sum() > 0
    assert completion.take_counts() == {}


def test_keyframes_are_held_and_observed_with_their_holes_closed() -> None:
    frames, _ = frames_of_screen(stands_out_m=0.002)
    reconstructor = Reconstructor(tiny_config(), CPU)
    for frame in frames:
        reconstructor.add_frame(frame)
    last = frames[-1]
    buffer, grid = reconstructor.reconstruction.buffer, reconstructor.reconstruction.grid
    held = buffer.frame_of((last.stamp_ns, last.camera_id))
    assert held is not None and held.depth_m is not None and last.depth_m is not None
    assert np.mean(held.depth_m[last.depth_m == 0] > 0) > 0.95
    middle = torch.tensor([[0.0, 2.0, 0.0]])
    assert bool(grid.may_hold_mesh(middle))
    closed = [
        f is not None and not np.array_equal(f.depth_m > 0, frame.depth_m > 0)
        for frame in frames
        for f in [buffer.frame_of((frame.stamp_ns, frame.camera_id))]
    ]
    assert reconstructor.counters["keyframes_completed"] == sum(closed) > 0
