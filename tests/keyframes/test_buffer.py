# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The keyframes on the device: capacity, what makes room, coding of depth, downscaling."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_scene import CAMERA, CPU, pose, wall_frame

from ineus_core.errors import CapacityError
from ineus_core.geometry import pixel_rays, project
from ineus_core.kernels.ray_batch import WHOLE
from ineus_core.keyframes import DepthConfig, KeyframeBuffer, KeyframeConfig
from ineus_core.keyframes.buffer import MASKED, UNKNOWN, has_same_rays
from ineus_core.types import Camera, Frame


def buffer(camera: Camera = CAMERA, **settings: float) -> KeyframeBuffer:
    return KeyframeBuffer(KeyframeConfig(**settings), camera, CPU)  # type: ignore[arg-type]


def frame_of(camera: Camera, depth_m: np.ndarray) -> Frame:
    return Frame(0, camera, pose(), np.zeros((*depth_m.shape, 3), dtype=np.uint8), depth_m)


def test_capacity_is_that_of_the_configuration_or_of_the_memory() -> None:
    assert buffer(capacity=7).capacity == 7
    large = Camera(640, 480, 500.0, 500.0, 320.0, 240.0)
    # 640 * 480 pixels of 5 bytes are 1.536 MB, of which 10 MB hold 6.
    small = buffer(large, capacity=256, memory_mb=10)
    assert small.capacity == 6
    assert small.nbytes == 6 * 640 * 480 * 5


def test_memory_for_less_than_two_is_refused_with_the_key() -> None:
    large = Camera(640, 480, 500.0, 500.0, 320.0, 240.0)
    with pytest.raises(CapacityError, match=r"keyframes\.memory_mb 2 .* at least 3"):
        buffer(large, memory_mb=2)


@pytest.mark.parametrize("size", [(20, 15), (80, 60), (64, 36)])
def test_a_camera_of_another_size_is_stored_in_that_of_the_first(size: tuple[int, int]) -> None:
    width, height = size
    other = Camera(width, height, 30.0, 28.0, width / 2, height / 2)
    depth_m = np.full((height, width), 2.0, dtype=np.float32)
    depth_m[:, width // 2 :] = 4.0
    mask = np.ones((height, width), dtype=bool)
    mask[: height // 3] = False
    held = buffer()
    held.add(wall_frame())
    rgb = np.zeros((height, width, 3), dtype=np.uint8)
    slot = held.add(Frame(1, other, pose(), rgb, depth_m, mask))
    kept = held.depth[slot].view(30, 40)
    assert bool((kept[:10] == MASKED).all()) and bool((kept[10:] > 0).all())
    kept_m = (kept[10:].float() * held.depth_step_m).round(decimals=2)
    assert set(kept_m[:, :20].unique().tolist()) == {2.0}
    assert set(kept_m[:, 20:].unique().tolist()) == {4.0}
    # The rays still fill the view of the camera that took it.
    pixels = project(other, held.rays_of(slot).double().numpy())
    np.testing.assert_allclose(pixels[:40, 0], (np.arange(40) + 0.5) * width / 40, atol=1e-3)
    np.testing.assert_allclose(pixels[::40, 1], (np.arange(30) + 0.5) * height / 30, atol=1e-3)


def test_cameras_of_a_rig_are_told_apart_at_one_moment() -> None:
    held = buffer(capacity=14)
    for i in range(7):
        for camera_id in (0, 1):
            at = pose(float(i), yaw_deg=180.0 * camera_id)
            held.add(wall_frame(i, world_from_camera=at, camera_id=camera_id))
    assert held.replace_pose((200_000_000, 1), pose(9.0))
    moved, other = held.frame_of((200_000_000, 1)), held.frame_of((200_000_000, 0))
    assert moved is not None and other is not None
    assert (moved.camera_id, moved.world_from_camera[0, 3]) == (1, 9.0)
    assert (other.camera_id, other.world_from_camera[0, 3]) == (0, 2.0)


def test_the_keyframe_that_makes_room_is_redundant_for_its_own_camera() -> None:
    held = buffer(capacity=16)
    # Two cameras that look apart; the second one stands still for a moment.
    places = ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 1.1, 1.2, 4, 5, 6, 7])
    for i in range(8):
        for camera_id in (0, 1):
            at = pose(float(places[camera_id][i]), yaw_deg=180.0 * camera_id)
            held.add(wall_frame(i, world_from_camera=at, camera_id=camera_id))
    freed = held.slot_to_free()
    assert freed is not None and held.ids[held.slots.index(freed)] == (200_000_000, 1)


def test_slots_are_filled_in_order() -> None:
    held = buffer(capacity=3)
    for i in range(3):
        assert held.slot_to_free() is None
        assert held.add(wall_frame(i, world_from_camera=pose(float(i)))) == i
    assert held.ids == [(0, 0), (100_000_000, 0), (200_000_000, 0)]
    torch.testing.assert_close(held.world_from_camera[:, 0, 3], torch.tensor([0.0, 1.0, 2.0]))


def test_the_most_redundant_keyframe_makes_room() -> None:
    held = buffer(capacity=14)
    # Between keyframe 2 and 4, keyframe 3 lies closest to its neighbours.
    places = [0.0, 1.0, 2.0, 2.1, 2.2, *np.arange(3.0, 12.0)]
    for i, x in enumerate(places):
        held.add(wall_frame(i, world_from_camera=pose(x)))
    assert held.slot_to_free() == 3
    assert held.add(wall_frame(99, world_from_camera=pose(20.0))) == 3
    assert len(held) == 14
    assert (300_000_000, 0) not in held.ids
    assert held.ids[-1] == (9_900_000_000, 0)
    assert held.slots[-1] == 3
    assert held.poses[-1][0, 3] == 20.0


def test_the_newest_are_protected_though_they_stand_still() -> None:
    held = buffer(capacity=12)
    for i in range(40):
        held.add(wall_frame(i, world_from_camera=pose(float(min(i, 20)))))
        assert held.ids[-min(i + 1, 8) :] == [
            (100_000_000 * k, 0) for k in range(max(0, i - 7), i + 1)
        ]
        # The beginning of the walk is not forgotten.
        assert held.ids[0] == (0, 0)


def test_two_slots_work() -> None:
    held = buffer(capacity=2)
    for i in range(5):
        held.add(wall_frame(i, world_from_camera=pose(float(i))))
    assert len(held) == 2
    assert held.ids[-1] == (400_000_000, 0)


def test_depth_is_kept_to_a_step_and_only_in_range() -> None:
    held = KeyframeBuffer(
        KeyframeConfig(capacity=2), CAMERA, CPU, depth=DepthConfig(min_m=0.5, max_m=8.0)
    )
    depth_m = np.full((30, 40), 3.21, dtype=np.float32)
    depth_m[0, :5] = (0.4, 0.5, 8.0, 8.1, np.nan)
    slot = held.add(frame_of(CAMERA, depth_m))
    kept_m = held.depth[slot].view(30, 40).float() * held.depth_step_m
    torch.testing.assert_close(
        kept_m[0, :6], torch.tensor([0, 0.5, 8.0, 0, 0, 3.21]), atol=8 / 32767, rtol=0
    )


def test_masked_pixels_are_marked_with_and_without_depth() -> None:
    mask = np.ones((30, 40), dtype=bool)
    mask[:10] = False
    held = buffer()
    for depth_m in (2.0, None):
        slot = held.add(wall_frame(depth_m=depth_m, mask=mask))
        kept = held.depth[slot].view(30, 40)
        assert bool((kept[:10] == MASKED).all())
        assert bool((kept[10:] >= 0).all())


@pytest.mark.parametrize("size", [(80, 60), (81, 61), (119, 90)])
def test_wide_images_are_reduced_by_a_whole_factor(size: tuple[int, int]) -> None:
    width, height = size
    wide = Camera(width, height, 60.0, 60.0, width / 2, height / 2)
    held = buffer(wide, max_width_px=40)
    factor = 2 if width == 80 else 3
    assert (held.width_px, held.height_px) == (width // factor, height // factor)
    held.add(wall_frame(camera=wide))
    # Rays of reduced pixels still fill the view: corner to corner of the original camera.
    rays = held.camera_rays[0].double().numpy()
    pixels = project(wide, rays)
    expected_x = (np.arange(held.width_px) + 0.5) * width / held.width_px
    np.testing.assert_allclose(pixels[: held.width_px, 0], expected_x, atol=1e-3)


def test_reduced_depth_is_picked_not_averaged() -> None:
    wide = Camera(80, 60, 60.0, 60.0, 40.0, 30.0)
    depth_m = np.full((60, 80), 2.0, dtype=np.float32)
    depth_m[:, 41:] = 6.0
    held = buffer(wide, max_width_px=40)
    slot = held.add(frame_of(wide, depth_m))
    kept_m = held.depth[slot].float() * held.depth_step_m
    assert set(kept_m.round(decimals=2).unique().tolist()) == {2.0, 6.0}


def test_a_pose_can_be_replaced_by_its_stamp() -> None:
    held = buffer()
    held.add(wall_frame(0))
    held.add(wall_frame(1, world_from_camera=pose(1.0)))
    assert held.replace_pose((100_000_000, 0), pose(5.0))
    assert held.world_from_camera[1, 0, 3] == 5.0
    assert not held.replace_pose((77, 0), pose(5.0))


def test_a_keyframe_is_given_back_as_it_is_held() -> None:
    mask = np.ones((30, 40), dtype=bool)
    mask[0] = False
    held = buffer()
    given = wall_frame(3, depth_m=1.5, world_from_camera=pose(2.0), mask=mask)
    held.add(given)
    held.add(wall_frame(4, depth_m=None, world_from_camera=pose(3.0)))
    frame = held.frame_of((300_000_000, 0))
    assert frame is not None and frame.depth_m is not None and frame.mask is not None
    assert (frame.camera, frame.stamp_ns) == (CAMERA, 300_000_000)
    np.testing.assert_array_equal(frame.rgb, given.rgb)
    np.testing.assert_array_equal(frame.world_from_camera, pose(2.0))
    np.testing.assert_array_equal(frame.mask, mask)
    np.testing.assert_allclose(frame.depth_m[1:], 1.5, atol=held.depth_step_m)
    assert not frame.depth_m[0].any()
    without = held.frame_of((400_000_000, 0))
    assert without is not None and without.depth_m is None
    assert held.frame_of((5, 0)) is None


def test_each_camera_has_its_rays_once() -> None:
    other = Camera(40, 30, 45.0, 45.0, 20.0, 15.0)
    held = buffer()
    for camera in (CAMERA, other, CAMERA):
        held.add(wall_frame(camera=camera))
    assert held.camera_index[:3].tolist() == [0, 1, 0]
    assert len({held.camera_rays[row].sum().item() for row in (0, 1)}) == 2


def test_a_camera_that_changes_with_every_frame_takes_no_more_room_than_the_keyframes() -> None:
    held = buffer(capacity=4)
    moved = 0
    for index in range(60):
        focusing = Camera(40, 30, 30.0 + index, 30.0 + index, 20.0, 15.0)
        before = held.camera_rays.data_ptr()
        slot = held.add(wall_frame(index, world_from_camera=pose(0.1 * index), camera=focusing))
        moved += held.camera_rays.data_ptr() != before
        np.testing.assert_array_equal(
            held.rays_of(slot).numpy(), pixel_rays(focusing).reshape(-1, 3)
        )
        assert int(held.camera_index[slot]) < len(held.camera_rays) <= 4
    # A captured step is never captured anew: there was room for all from the first one on.
    assert moved == 1
    for keyframe in held.ids:
        frame, index = held.frame_of(keyframe), keyframe[0] // 100_000_000
        assert frame is not None and frame.camera.fx == 30.0 + index
        rays = held.rays_of(held.slots[held.ids.index(keyframe)])
        np.testing.assert_array_equal(rays.numpy(), pixel_rays(frame.camera).reshape(-1, 3))


def test_cameras_that_differ_by_nothing_one_sees_share_their_rays() -> None:
    held = buffer()
    near = Camera(40, 30, 30.1, 30.05, 20.0, 15.0)
    for index, camera in enumerate((CAMERA, near)):
        held.add(wall_frame(index, camera=camera))
    assert held.camera_index[:2].tolist() == [0, 0]


LENS = Camera(640, 480, 500.0, 505.0, 330.0, 235.0, "plumb_bob", (0.1, -0.05, 1e-3, 2e-3, 0.01))


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"fx": 500.1}, True),
        ({"fx": 500.2}, False),
        ({"fy": 505.3}, False),
        ({"cx": 330.05, "cy": 235.05}, True),
        ({"cx": 330.08, "cy": 235.08}, False),
        ({"distortion": (0.1, -0.05, 1e-3, 2e-3, 0.011)}, False),
        ({"distortion_model": "rational_polynomial"}, False),
    ],
)
def test_rays_are_the_same_within_a_tenth_of_a_pixel(
    change: dict[str, Any], is_same: bool
) -> None:
    other = replace(LENS, **change)
    assert has_same_rays(LENS, other) == has_same_rays(other, LENS) == is_same
    if is_same:
        pixels = project(other, pixel_rays(LENS)[::40, ::40].reshape(-1, 3).astype(np.float64))
        columns, rows = np.meshgrid(np.arange(0, 640, 40) + 0.5, np.arange(0, 480, 40) + 0.5)
        given = np.stack((columns, rows), axis=-1).reshape(-1, 2)
        assert np.linalg.norm(pixels - given, axis=1).max() < 0.1


def test_foreground_is_held_where_it_is_asked_for_and_counted() -> None:
    inside = np.zeros((30, 40), dtype=bool)
    inside[10:, 5] = True
    held = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_foreground=True)
    held.add(wall_frame(foreground=inside))
    held.add(wall_frame(1, world_from_camera=pose(1.0)))
    assert held.foreground is not None
    assert torch.equal(held.foreground[0].view(30, 40) == WHOLE, torch.from_numpy(inside))
    assert bool((held.foreground[1] == UNKNOWN).all())
    assert held.nbytes == 2 * 30 * 40 * 6
    assert buffer(capacity=2).foreground is None


def test_foreground_of_a_larger_frame_is_the_mean_over_its_pixels() -> None:
    inside = np.arange(40) >= 19
    config = KeyframeConfig(capacity=2, max_width_px=20)
    held = KeyframeBuffer(config, CAMERA, CPU, has_foreground=True)
    held.add(wall_frame(foreground=np.tile(inside, (30, 1))))
    assert held.foreground is not None
    assert (
        held.foreground[0].view(15, 20)[0].tolist() == [0] * 9 + [round(WHOLE / 2)] + [WHOLE] * 10
    )


def test_the_backdrop_is_what_pictures_have_where_no_object_is() -> None:
    held = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_foreground=True)
    assert held.image_background.tolist() == [1.0, 1.0, 1.0]
    rgb = np.full((30, 40, 3), 255, dtype=np.uint8)
    rgb[:, 20:] = (51, 102, 0)
    share = np.repeat([[1.0] * 20 + [0.0] * 20], 30, axis=0).astype(np.float32)
    held.add(wall_frame(rgb=rgb, foreground=share))
    np.testing.assert_allclose(held.image_background, (0.2, 0.4, 0.0), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("width_px", [CAMERA.width_px, CAMERA.width_px * 30])
def test_depth_is_coded_alike_on_a_gpu(width_px: int) -> None:
    f = width_px // CAMERA.width_px
    camera = Camera(width_px, CAMERA.height_px * f, 30.0 * f, 30.0 * f, 20.0 * f, 15.0 * f)
    depth_m = np.random.default_rng(0).uniform(-1, 12, (camera.height_px, width_px))
    depth_m[::7] = np.nan
    mask = np.random.default_rng(1).random(depth_m.shape) > 0.2
    rgb = np.random.default_rng(2).integers(0, 255, (*depth_m.shape, 3), dtype=np.uint8)
    frame = Frame(0, camera, pose(), rgb, depth_m.astype(np.float32), mask)
    stored = []
    for device in (CPU, torch.device("cuda")):
        held = KeyframeBuffer(KeyframeConfig(capacity=2), camera, device)
        slot = held.add(frame)
        stored.append((held.rgb[slot].cpu(), held.depth[slot].cpu(), held.rays_of(slot).cpu()))
    (rgb_a, depth_a, rays_a), (rgb_b, depth_b, rays_b) = stored
    assert torch.equal(rgb_a, rgb_b)
    assert torch.equal(rays_a, rays_b)
    # A quotient may round to the other side of a half.
    assert (depth_a.int() - depth_b.int()).abs().max() <= 1


def test_confidence_is_held_beside_the_depth_and_replaced_with_it() -> None:
    sure = np.full((30, 40), 0.5, dtype=np.float32)
    held = KeyframeBuffer(KeyframeConfig(capacity=2), CAMERA, CPU, has_confidence=True)
    held.add(wall_frame(depth_confidence=sure))
    held.add(wall_frame(1))
    assert held.confidence is not None
    # A sensor is certain, an estimate never is.
    assert set(held.confidence[0].tolist()) == {63}
    assert set(held.confidence[1].tolist()) == {WHOLE}
    better = wall_frame(depth_m=1.5, depth_confidence=np.full_like(sure, 0.999))
    assert held.replace_depth(better) == 0
    assert set(held.confidence[0].tolist()) == {WHOLE - 1}
    frame = held.frame_of((0, 0))
    assert frame is not None and frame.depth_m is not None and frame.depth_confidence is not None
    np.testing.assert_allclose(frame.depth_m, 1.5, atol=1e-3)
    np.testing.assert_allclose(frame.depth_confidence, 126 / 127)
    assert held.replace_depth(wall_frame(7)) is None
    assert held.nbytes == 2 * 30 * 40 * 6
