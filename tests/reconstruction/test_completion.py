# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Holes of the depth are closed where a plane goes through them and colours agree, else not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import CPU, tiny_config

from ineus_core.geometry import look_at, pixel_rays
from ineus_core.keyframes import DepthConfig
from ineus_core.reconstruction import Reconstructor
from ineus_core.reconstruction.completion import CompletionConfig, DepthCompletion, planar_holes
from ineus_core.sources.synthetic.analytic_scene import AnalyticScene, Part
from ineus_core.sources.synthetic.render import render_scene
from ineus_core.sources.synthetic.shapes import Texture, box, half_space
from ineus_core.types import Camera, Frame

CAMERA = Camera(160, 120, 130.0, 130.0, 80.0, 60.0)
BELIEVED = DepthConfig()
UP = np.array((0.0, 0.0, 1.0))
BLACK = (0.1, 0.1, 0.1)


def slopes() -> np.ndarray:
    rays = pixel_rays(CAMERA)
    return rays[..., :2] / rays[..., 2:]


def slanted_plane() -> tuple[np.ndarray, np.ndarray]:
    """Inverse depth as a product with the ray, and the depth image."""
    plane = np.array((0.1, -0.05, 0.4))
    return plane, (1.0 / (slopes() @ plane[:2] + plane[2])).astype(np.float32)


def with_hole(depth_m: np.ndarray) -> np.ndarray:
    depth_m = depth_m.copy()
    depth_m[40:70, 60:100] = 0
    return depth_m


def test_a_plane_goes_through_a_hole() -> None:
    plane, depth_m = slanted_plane()
    (hole,) = planar_holes(with_hole(depth_m), slopes(), None, BELIEVED)
    assert len(hole.rows) == 30 * 40
    np.testing.assert_allclose(hole.plane, plane, atol=1e-5)
    # Two pixels wide all around.
    assert hole.edge.sum() == 30 * 40 - 26 * 36


def two_depths(depth_m: np.ndarray) -> np.ndarray:
    """Make an object beside a shadow: the rim is nearer on one side."""
    depth_m[:, :60] *= 0.8
    return depth_m


def a_corner(depth_m: np.ndarray) -> np.ndarray:
    """Two walls that meet within the hole."""
    return depth_m * (1 + 0.4 * np.abs(slopes()[..., 0])).astype(np.float32)


def cut_off(depth_m: np.ndarray) -> np.ndarray:
    """Most of the contour lies outside of the image."""
    depth_m[40:70, :100] = 0
    depth_m[:45], depth_m[65:] = 0, 0
    return depth_m


def far_away(depth_m: np.ndarray) -> np.ndarray:
    return depth_m * 10


@pytest.mark.parametrize("change", [two_depths, a_corner, cut_off, far_away])
def test_what_is_no_plane_around_a_hole_gives_none(change: object) -> None:
    depth_m = with_hole(change(slanted_plane()[1]))  # type: ignore[operator]
    assert planar_holes(depth_m, slopes(), None, BELIEVED) == []


def test_pixels_that_may_not_be_used_are_no_hole() -> None:
    depth_m = with_hole(slanted_plane()[1])
    assert planar_holes(depth_m, slopes(), depth_m > 0, BELIEVED) == []


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
    for frame in frames[:4]:
        back.move((frame.stamp_ns, frame.camera_id), frame.world_from_camera)
    assert off.completed(frames[4]) is frames[4]
    assert back.completed(frames[4]) is not frames[4]


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
