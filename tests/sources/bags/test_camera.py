# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which images of a bag belong together, and depth whose camera is not that of colour."""

from pathlib import Path

import numpy as np
import pytest
from bag_making import CAMERA, MS, START_NS, BagMaker, make_frame, pose_at

from ineus_core.errors import SourceError
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.types import Camera, Frame

DEPTH_CAMERA = Camera(8, 6, 7.0, 7.0, 4.0, 3.0)
"""Half as fine as colour."""
TO_THE_RIGHT = np.eye(4)
TO_THE_RIGHT[0, 3] = 0.1


def write_own_depth(path: Path, is_joined: bool = True, depth_m: float = 0.7) -> Path:
    """Write a bag whose depth is seen from 10 cm to the right, by a coarser camera."""
    with BagMaker(path) as bag:
        for frame in map(make_frame, range(3)):
            stamp = frame.stamp_ns
            if is_joined:
                bag.tf("/tf_static", stamp, "lens", "depth_lens", TO_THE_RIGHT)
            bag.tf("/tf", stamp, "odom", "lens", frame.world_from_camera)
            bag.info("/cam/color/camera_info", stamp, frame_id="lens")
            bag.image("/cam/color/image", stamp, frame.rgb, frame_id="lens")
            bag.info("/cam/depth/camera_info", stamp, DEPTH_CAMERA, frame_id="depth_lens")
            depth = np.full((6, 8), depth_m, np.float32)
            bag.depth("/cam/depth/image", stamp, depth, frame_id="depth_lens")
    return path


def first(path: Path, **settings: object) -> Frame:
    return next(iter(RosbagSource(path, RosbagConfig.model_validate(settings))))


def test_depth_of_another_camera_is_registered_by_tf(tmp_path: Path) -> None:
    """At 0.7 m a pixel of 14 px focal length is 5 cm wide: 10 cm to the right are 2 columns."""
    path = write_own_depth(tmp_path / "bag")
    frame = first(path)
    assert frame.depth_m is not None and frame.depth_m.shape == (12, 16)
    has_return = (frame.depth_m > 0).any(axis=0)
    assert has_return.tolist() == [False] * 2 + [True] * 14
    assert frame.depth_m[:, 2:].max() == pytest.approx(0.7, abs=1e-3)
    assert "registered here" in RosbagSource(path).describe()["depth"]


def test_a_place_of_depth_that_nobody_knows_is_an_error_that_says_what_would_do(
    tmp_path: Path,
) -> None:
    path = write_own_depth(tmp_path / "bag", is_joined=False)
    with pytest.raises(SourceError, match=r"'depth_lens'.*'lens'.*color_from_depth"):
        RosbagSource(path)
    told = first(path, color_from_depth=(0.1, 0, 0, 0, 0, 0, 1))
    assert told.depth_m is not None and told.depth_m[5, :3].tolist()[:2] == [0, 0]
    assert first(path, depth_topic="none").depth_m is None
    with pytest.raises(SourceError, match="8 x 6 pixels: expected the 16 x 12"):
        first(path, depth_camera="color")


def test_depth_of_colours_own_optics_stays_as_it_is(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        frame = make_frame(0)
        for name in ("color", "aligned"):
            bag.info(f"/cam/{name}/camera_info", START_NS)
        bag.image("/cam/color/image", START_NS, frame.rgb)
        bag.depth("/cam/aligned/image", START_NS, frame.depth_m)
        bag.pose("/pose", START_NS, np.eye(4))
    source = RosbagSource(tmp_path / "bag")
    assert source.describe()["depth"] == "/cam/aligned/image"
    np.testing.assert_allclose(next(iter(source)).depth_m, frame.depth_m, atol=5.1e-4)


def test_the_colour_that_depth_belongs_to_goes_before_a_preview(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        frame = make_frame(0)
        bag.info("/oak/rgb/camera_info", START_NS)
        bag.image("/oak/rgb/preview/image_raw", START_NS, frame.rgb[:8, :8])
        bag.image("/oak/rgb/image_raw", START_NS, frame.rgb)
        bag.depth("/oak/stereo/image_raw", START_NS, frame.depth_m)
        bag.pose("/pose", START_NS, np.eye(4))
    assert RosbagSource(tmp_path / "bag").describe()["colour"].startswith("/oak/rgb/image_raw ")


def test_depth_that_comes_later_names_the_tolerance_that_takes_it(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for frame in map(make_frame, range(0, 12, 3)):
            bag.info("/c/camera_info", frame.stamp_ns)
            bag.image("/c/image", frame.stamp_ns, frame.rgb)
            bag.depth("/c/depth", frame.stamp_ns + 25 * MS, frame.depth_m)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    with pytest.raises(SourceError, match=r"0\.025 s apart: .*sync_tolerance_s=0\.026"):
        list(RosbagSource(tmp_path / "bag"))
    assert first(tmp_path / "bag", sync_tolerance_s=0.026).depth_m is not None


def test_a_camera_info_that_is_none_is_left_out(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        frame = make_frame(0)
        message = bag.info_message(START_NS)
        message.k[0] = 0.0
        bag.put("/c/camera_info", START_NS, message)
        bag.info("/c/camera_info", START_NS + MS)
        bag.image("/c/image", START_NS, frame.rgb)
        bag.pose("/pose", START_NS, np.eye(4))
    assert first(tmp_path / "bag").camera == CAMERA


def write_rig(path: Path) -> Path:
    """Write a bag of two cameras on one body, the second one coarser and 1 ms later."""
    with BagMaker(path) as bag:
        for name, x in (("front", 0.0), ("rear", -0.5)):
            place = np.eye(4)
            place[0, 3] = x
            bag.tf("/tf_static", START_NS, "base", name, place)
        for step in range(-1, 5):
            stamp = START_NS + step * 33 * MS
            bag.odom("/odom", stamp, pose_at(step * 0.033), child="base")
        for frame in map(make_frame, range(3)):
            stamp = frame.stamp_ns
            bag.info("/bot/front/color/camera_info", stamp, frame_id="front")
            bag.info("/bot/rear/color/camera_info", stamp, DEPTH_CAMERA, frame_id="rear")
            bag.image("/bot/rear/color/image", stamp + MS, frame.rgb[:6, :8], frame_id="rear")
            bag.image("/bot/front/color/image", stamp, frame.rgb, frame_id="front")
    return path


def test_several_cameras_each_with_its_intrinsics_and_its_place(tmp_path: Path) -> None:
    source = RosbagSource(write_rig(tmp_path / "bag"), RosbagConfig(cameras=("front", "rear")))
    frames = list(source)
    assert [frame.camera_id for frame in frames] == [0, 1] * 3 and len(source) == 6
    assert [frame.camera for frame in frames[:2]] == [CAMERA, DEPTH_CAMERA]
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(stamps)
    place = np.eye(4)
    place[0, 3] = -0.5
    np.testing.assert_allclose(frames[0].world_from_camera, pose_at(0.0), atol=1e-5)
    np.testing.assert_allclose(frames[1].world_from_camera, pose_at(0.001) @ place, atol=1e-5)
    assert {"colour of front", "colour of rear"} <= set(source.describe())


def test_a_camera_of_a_rig_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_rig(tmp_path / "bag")
    with pytest.raises(SourceError, match="no colour images of side"):
        RosbagSource(path, RosbagConfig(cameras=("front", "side")))
