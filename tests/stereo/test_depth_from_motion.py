# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion on pictures with exact depth: right where it says so, silent elsewhere."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from card_scene import WALL, CardScene, camera_of, pose_at
from jaxtyping import Float

from ineus_core.errors import SourceError
from ineus_core.stereo import DepthFromMotion, PlainWalls, StereoConfig, StereoDepth
from ineus_core.types import Camera, Frame

CPU = torch.device("cpu")
STEPS = (-0.24, -0.12, 0.0, 0.12, 0.24)
"""Places along x, 6 % of the depth apart."""


def walk(scene: CardScene, cameras: tuple[Camera, ...] = (camera_of(),)) -> list[Frame]:
    return [
        scene.frame(number, camera, pose_at(x * scene.unit, 0.01 * number * scene.unit, 0.0))
        for number, (x, camera) in enumerate(zip(STEPS, itertools.cycle(cameras)))
    ]


def final_depth(frames: list[Frame], number: int, **settings: object) -> StereoDepth:
    """Return the final depth of one frame, and see that each has at most one."""
    stereo = DepthFromMotion(StereoConfig(**settings), CPU)
    found = [depth for frame in frames for depth in stereo.add(frame)] + stereo.finish()
    of_one = [d for d in found if d.is_final and d.keyframe[0] == frames[number].stamp_ns]
    assert len(of_one) == 1
    return of_one[0]


def errors(depth: StereoDepth, frame: Frame) -> tuple[float, Float[np.ndarray, " n"]]:
    """Return the share of the pixels with depth, and their errors as shares of the depth."""
    assert frame.depth_m is not None
    kept = depth.depth_m > 0
    off = np.abs(depth.depth_m - frame.depth_m)[kept] / frame.depth_m[kept]
    return float(kept.mean()), off


def test_a_slanted_wall_is_measured_to_fractions_of_a_pixel() -> None:
    frames = walk(CardScene())
    depth = final_depth(frames, 2)
    coverage, off = errors(depth, frames[2])
    assert coverage > 0.85
    # A pixel of the farthest source is 6.5 % of the depth.
    assert np.median(off) < 0.002
    assert np.mean(off < 0.02) > 0.99
    kept = depth.depth_m > 0
    assert depth.confidence[kept].mean() > 0.85
    assert not depth.confidence[~kept].any()
    normal = depth.normal[kept & (np.abs(depth.normal).sum(axis=-1) > 0)]
    wall = WALL[:3] / np.linalg.norm(WALL[:3])
    assert np.degrees(np.arccos(np.clip(normal @ wall, -1, 1))).mean() < 8


@pytest.mark.parametrize("unit", [0.01, 50.0])
def test_the_unit_of_length_does_not_matter(unit: float) -> None:
    one, other = (final_depth(walk(CardScene(unit=u)), 2) for u in (1.0, unit))
    kept = (one.depth_m > 0) & (other.depth_m > 0)
    assert kept.mean() > 0.85
    off = np.abs(other.depth_m / unit - one.depth_m)[kept] / one.depth_m[kept]
    assert np.quantile(off, 0.95) < 0.003


def test_cameras_of_a_rig_may_differ_in_size_lens_and_exposure() -> None:
    bent = camera_of(200, 140, distortion_model="plumb_bob", distortion=(-0.15, 0.03, 0.0, 0.002))
    frames = walk(CardScene(), (camera_of(), bent))
    frames[1] = _exposed(frames[1], 0.7, 30)
    coverage, off = errors(final_depth(frames, 2), frames[2])
    assert coverage > 0.8
    assert np.median(off) < 0.003
    coverage, off = errors(final_depth(frames, 3), frames[3])
    assert coverage > 0.5
    assert np.median(off) < 0.004


def test_a_fisheye_and_a_pinhole_camera_match_each_other() -> None:
    fisheye = camera_of(distortion_model="equidistant", distortion=(0.02, -0.004, 0.0, 0.0))
    frames = walk(CardScene(), (camera_of(), fisheye))
    for number in (2, 3):
        coverage, off = errors(final_depth(frames, number), frames[number])
        assert coverage > 0.6
        assert np.median(off) < 0.004


def test_a_blurred_picture_among_sharp_ones_does_little_harm() -> None:
    frames = walk(CardScene())
    blurred = cv2.GaussianBlur(frames[1].rgb, (0, 0), 2.0)
    frames[1] = replace(frames[1], rgb=blurred)
    coverage, off = errors(final_depth(frames, 2), frames[2])
    assert coverage > 0.8
    assert np.median(off) < 0.004


def test_a_plain_patch_of_a_wall_lies_on_its_plane() -> None:
    frame = (frames := walk(CardScene(plain_half=0.25)))[2]
    depth = final_depth(frames, 2)
    found_m, chance = depth.with_plain_regions(frame.rgb, 0.7, PlainWalls())
    is_plane = found_m != depth.depth_m
    assert frame.depth_m is not None
    assert is_plane.mean() > 0.02
    off = np.abs(found_m - frame.depth_m)[is_plane]
    assert np.mean(off < 0.02 * frame.depth_m[is_plane]) > 0.95
    # Sure, but no more than what was measured best.
    assert (chance[is_plane] > 0.7).all()
    assert chance[is_plane].max() < depth.confidence.max()
    np.testing.assert_array_equal(chance[~is_plane], depth.confidence[~is_plane])


def _exposed(frame: Frame, gain: float, offset: float) -> Frame:
    rgb = (frame.rgb * gain + offset).astype(np.uint8)
    return Frame(frame.stamp_ns, frame.camera, frame.world_from_camera, rgb, frame.depth_m)


def test_plain_walls_with_noise_get_no_surface() -> None:
    frames = walk(CardScene(contrast=0.0, noise=2.0))
    stereo = DepthFromMotion(StereoConfig(), CPU, np.array(_points_of_the_wall()))
    found = [depth for frame in frames for depth in stereo.add(frame)] + stereo.finish()
    sure = [(d.confidence > 0.7).mean() for d in found]
    assert max(sure, default=0.0) < 0.03


def _points_of_the_wall() -> list[tuple[float, float, float]]:
    return [
        (x, y, float(WALL[3] + WALL[0] * x + WALL[1] * y))
        for x, y in itertools.product(np.linspace(-0.8, 0.8, 8), np.linspace(-0.6, 0.6, 8))
    ]


def test_what_hides_behind_a_card_is_not_invented() -> None:
    """The strip of the wall that the middle view alone sees has either no depth or its own."""
    scene, camera = CardScene(has_card=True), camera_of()
    frames = walk(scene)
    depth = final_depth(frames, 2)
    assert frames[2].depth_m is not None
    is_card = scene.is_card(camera, pose_at(0.0, 0.02, 0.0))
    off = np.abs(depth.depth_m - frames[2].depth_m) / frames[2].depth_m
    wrong = (depth.depth_m > 0) & (off > 0.05)
    # To either side as far as the farthest source sees the card shifted against the wall.
    beside = np.zeros_like(is_card)
    for shift in range(1, 9):
        beside |= np.roll(is_card, shift, axis=1) | np.roll(is_card, -shift, axis=1)
    beside &= ~is_card
    assert wrong[beside].mean() < 0.12
    assert (depth.confidence * wrong)[beside].sum() < 0.08 * beside.sum()
    assert ((depth.depth_m > 0) & (off < 0.02))[is_card].mean() > 0.8


def test_provisional_depth_comes_at_once_and_final_depth_later() -> None:
    stereo = DepthFromMotion(StereoConfig(), CPU)
    news = [stereo.add(frame) for frame in walk(CardScene())]
    assert [[d.is_final for d in found] for found in news[:2]] == [[], []]
    newest = [found[0] for found in news[2:]]
    assert not any(depth.is_final for depth in newest)
    assert [depth.keyframe[0] for depth in newest] == [200_000_000, 300_000_000, 400_000_000]
    late = stereo.finish()
    finals = [d for found in news for d in found if d.is_final] + late
    assert sorted(d.keyframe[0] for d in finals) == [n * 100_000_000 for n in range(5)]
    assert stereo.finish() == []


def test_no_first_depth_is_measured_while_others_wait_for_theirs() -> None:
    stereo, frames = DepthFromMotion(StereoConfig(), CPU), walk(CardScene())
    for frame in frames[:2]:
        stereo.add(frame)
    assert len(stereo.begin(frames[2])) == 1
    # What the last one tells of others has not been asked for.
    assert stereo.begin(frames[3]) == []
    while stereo.go_on() is not None:
        pass
    assert len(stereo.begin(frames[4])) == 1


def test_keyframes_get_their_depth_however_fast_others_follow() -> None:
    stereo = DepthFromMotion(StereoConfig(provisional=False), CPU)
    found = []
    for number, frame in enumerate(walk(CardScene()) * 3):
        # On and on along the same way.
        stereo.begin(replace(frame, stamp_ns=100_000_000 * number))
        for _ in range(2):
            found += stereo.go_on() or []
    # Two parts each, one to measure and one to check, are just what is needed.
    assert [depth.keyframe[0] // 100_000_000 for depth in found][:8] == list(range(8))


def test_photographs_are_matched_when_all_are_there_in_any_order() -> None:
    frames = walk(CardScene())

    def depths(order: list[Frame]) -> dict[int, np.ndarray]:
        stereo = DepthFromMotion(StereoConfig().of_photographs(), CPU, in_order=False)
        assert not [depth for frame in order for depth in stereo.add(frame)]
        return {depth.keyframe[0]: depth.depth_m for depth in stereo.finish()}

    found = depths(frames)
    assert len(found) == len(frames)
    for stamp, depth_m in depths([frames[i] for i in (3, 0, 4, 1, 2)]).items():
        # Points that were known before others were are not the same.
        both = (depth_m > 0) & (found[stamp] > 0)
        assert both.mean() > 0.8
        assert np.median(np.abs(depth_m - found[stamp])[both]) < 0.004


def test_photographs_are_matched_larger_and_all_with_all() -> None:
    given = StereoConfig(max_width_px=200, views=100).of_photographs()
    assert (given.max_width_px, given.views, given.provisional) == (200, 100, False)
    chosen = StereoConfig().of_photographs()
    assert (chosen.max_width_px, chosen.views) == (640, 64)


def test_a_turn_on_the_spot_gives_no_depth() -> None:
    scene, camera = CardScene(), camera_of()
    stereo = DepthFromMotion(StereoConfig(), CPU, np.array(_points_of_the_wall()))
    frames = [scene.frame(n, camera, pose_at(0, 0, 0, turn=0.05 * n)) for n in range(5)]
    assert [depth for frame in frames for depth in stereo.add(frame)] + stereo.finish() == []


def test_no_more_keyframes_are_held_than_configured() -> None:
    stereo = DepthFromMotion(StereoConfig(views=4, provisional=False), CPU)
    frames = walk(CardScene())
    for number in range(12):
        stereo.add(frames[number % len(frames)])
    assert len(stereo.finish()) <= 4


def test_masked_pixels_get_no_depth() -> None:
    frames = walk(CardScene())
    mask = np.ones((120, 160), bool)
    mask[40:80, 60:100] = False
    masked = [
        Frame(f.stamp_ns, f.camera, f.world_from_camera, f.rgb, f.depth_m, mask) for f in frames
    ]
    depth = final_depth(masked, 2)
    assert not depth.depth_m[~mask].any()
    assert (depth.depth_m[mask] > 0).mean() > 0.7


def test_a_tilted_sensor_is_refused_with_a_way_out() -> None:
    tilted = (*(0.0,) * 12, 0.1, 0.0)
    camera = camera_of(distortion_model="rational_polynomial", distortion=tilted)
    plain = CardScene().frame(0, camera_of(), pose_at(0, 0, 0))
    stereo = DepthFromMotion(StereoConfig(), CPU)
    with pytest.raises(SourceError, match=r"stereo\.enabled"):
        stereo.add(Frame(0, camera, plain.world_from_camera, plain.rgb))
