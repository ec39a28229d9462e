# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What drivers and recorders leave in bags: odd calibrations, bits, clocks and frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_making import CAMERA, MOUNT, MS, START_NS, BagMaker, make_frame, pose_at

from ineus_core.errors import SourceError
from ineus_core.sources.bags import ros_encoders as encode
from ineus_core.sources.bags.camera import RosbagConfig
from ineus_core.sources.bags.rosbag import RosbagSource
from ineus_core.types import Camera


def write(path: Path, change: Any = None, info: bool = True, frame_id: str = "camera") -> Path:
    """Write three frames; `change` may alter the camera_info."""
    with BagMaker(path) as bag:
        for frame in map(make_frame, range(3)):
            if info:
                header = bag.header(frame.stamp_ns, frame_id)
                message = encode.encode_camera(bag.make, header, CAMERA)
                if change is not None:
                    change(message)
                bag.put("/cam/camera_info", frame.stamp_ns, message)
            bag.image("/cam/image_raw", frame.stamp_ns, frame.rgb, frame_id=frame_id)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    return path


def first_camera(path: Path, **settings: Any) -> Camera:
    return next(iter(RosbagSource(path, RosbagConfig(**settings)))).camera


def test_no_camera_info_but_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", info=False)
    with pytest.raises(SourceError, match=r"source\.rosbag\.fx, fy, cx, cy of .* 16 x 12 pixels"):
        RosbagSource(path)
    assert first_camera(path, fx=14, cx=7.75, cy=6) == CAMERA
    assert first_camera(path, fx=14, fy=15) == Camera(16, 12, 14, 15, 8, 6)
    bent = first_camera(path, fx=14, distortion=(0.1, 0, 0, 0, 0))
    assert (bent.distortion_model, bent.distortion) == ("plumb_bob", (0.1, 0, 0, 0, 0))


def without_size(message: Any) -> None:
    message.width = message.height = 0


def without_matrix(message: Any) -> None:
    message.k = np.zeros(9)


def of_twice_the_size(message: Any) -> None:
    message.width, message.height = 32, 24
    # Twice as far from the corner of the picture, which is half a pixel before 0.
    message.k = np.array([28, 0, 16, 0, 28, 12.5, 0, 0, 1], float)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_size, "has no width and height; those of the images are taken"),
        (without_matrix, "has K = 0; P is taken, without distortion"),
        (of_twice_the_size, "is for 32 x 24 pixels, images of /cam/image_raw have 16 x 12; its"),
    ],
)
def test_odd_calibrations_are_mended_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Any, said: str
) -> None:
    assert first_camera(write(tmp_path / "bag", change)) == CAMERA
    assert caplog.text.count(said) == 1


def test_calibrations_that_nothing_can_mend(tmp_path: Path) -> None:
    def of_another_view(message: Any) -> None:
        message.width, message.height = 32, 18

    def empty(message: Any) -> None:
        message.k, message.p = np.zeros(9), np.zeros(12)

    with pytest.raises(SourceError, match=r"32 x 18 pixels, images .* 16 x 12; .*rosbag\.fx"):
        RosbagSource(write(tmp_path / "wide", of_another_view))
    with pytest.raises(SourceError, match=r"expected a calibrated camera.*rosbag\.fx"):
        RosbagSource(write(tmp_path / "empty", empty))


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095), (16, 65535)])
def test_bits_of_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int, white: int
) -> None:
    values = np.zeros((12, 16), "<u2")
    values[0], values[1] = white, (white + 1) // 2
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/cam/camera_info", START_NS)
        for index in range(3):
            frame = make_frame(index)
            message = encode.encode_image(
                bag.make, bag.header(frame.stamp_ns, "camera"), frame.rgb
            )
            message.encoding, message.step = "mono16", 32
            message.data = np.frombuffer((values // (1 + (index == 0))).tobytes(), np.uint8)
            bag.put("/cam/image_raw", frame.stamp_ns, message)
            bag.pose("/pose", frame.stamp_ns, frame.world_from_camera)
    rgb = list(RosbagSource(tmp_path / "bag"))[1].rgb
    assert (rgb[0, 0, 0], rgb[1, 0, 0], rgb[2, 0, 0]) == (255, 128, 0)
    assert (f"use {bits} of their 16 bits" in caplog.text) == (bits < 16)
    as_it_is = list(RosbagSource(tmp_path / "bag", RosbagConfig(image_bits=16)))[1].rgb
    assert as_it_is[0, 0, 0] == white >> 8


def write_on_robot(path: Path, frame_id: str, has_optical: bool = True) -> Path:
    with BagMaker(path) as bag:
        forward = MOUNT.copy()
        forward[:3, :3] = np.eye(3)
        bag.tf("/tf_static", START_NS, "base_link", "cam_link", forward)
        if has_optical:
            turned = np.eye(4)
            turned[:3, :3] = MOUNT[:3, :3]
            bag.tf("/tf_static", START_NS, "cam_link", "cam_optical_frame", turned)
        for frame in map(make_frame, range(3)):
            bag.info("/cam/camera_info", frame.stamp_ns, frame_id=frame_id)
            bag.image("/cam/image_raw", frame.stamp_ns, frame.rgb, frame_id=frame_id)
            bag.tf("/tf", frame.stamp_ns, "odom", "base_link", frame.world_from_camera)
    return path


def test_images_in_a_frame_that_is_not_optical(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_on_robot(tmp_path / "bag", "cam_link")
    list(RosbagSource(path))
    assert caplog.text.count("source.rosbag.camera_frame=cam_optical_frame is meant") == 1
    caplog.clear()
    frame = next(iter(RosbagSource(path, RosbagConfig(camera_frame="cam_optical_frame"))))
    np.testing.assert_allclose(frame.world_from_camera, pose_at(0) @ MOUNT, atol=1e-9)
    assert "camera_frame" not in caplog.text


def test_images_without_a_frame_or_in_one_that_tf_does_not_know(tmp_path: Path) -> None:
    for frame_id in ("", "cam_opt"):
        path = write_on_robot(tmp_path / f"bag{frame_id}", frame_id)
        with pytest.raises(SourceError, match=r"camera_frame=cam_optical_frame if that is the ca"):
            RosbagSource(path)
    plain = write_on_robot(tmp_path / "plain", "", has_optical=False)
    with pytest.raises(SourceError, match=r"TF has base_link, cam_link, odom; .*frame says"):
        RosbagSource(plain)


def test_a_clock_that_is_set_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/cam/camera_info", START_NS)
        for index in range(8):
            frame = make_frame(index, 200.0)
            # After four frames all clocks of the robot go back by ten seconds.
            stamp = frame.stamp_ns - (index >= 4) * 10_000 * MS
            bag.image("/cam/image_raw", stamp, frame.rgb, log_ns=frame.stamp_ns)
            pose = bag.make(
                "geometry_msgs/msg/PoseStamped",
                header=bag.header(stamp, "map"),
                pose=encode.encode_pose(bag.make, frame.world_from_camera),
            )
            bag.put("/pose", frame.stamp_ns, pose)
    source = RosbagSource(tmp_path / "bag")
    assert len(list(source)) == 3
    assert source.dropped == {"clock_set_back": 1, "out_of_order": 4}
    assert "/cam/image_raw go back by 9.800 s" in caplog.text
    assert caplog.text.count("source.rosbag.stamps=recording") == 1
    frames = list(RosbagSource(tmp_path / "bag", RosbagConfig(stamps="recording")))
    for index, frame in enumerate(frames):
        expected = make_frame(index, 200.0)
        assert frame.stamp_ns == expected.stamp_ns
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera, atol=1e-9)
    assert len(frames) == 8


def test_gaps_in_time_are_told_with_the_setting_that_bridges_them(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.info("/cam/camera_info", START_NS)
        frame = make_frame(0)
        bag.image("/cam/image_raw", START_NS, frame.rgb)
        bag.depth("/cam/depth", START_NS + 45 * MS, frame.depth_m)
        for offset_ms in (-300, 200):
            bag.pose("/pose", START_NS + offset_ms * MS, frame.world_from_camera)
    with pytest.raises(SourceError, match=r"0\.045 s apart: .*sync_tolerance_s=0\.046"):
        list(RosbagSource(tmp_path / "bag"))
    colour = RosbagConfig(depth_topic="none")
    with pytest.raises(SourceError, match=r"is 0\.200 s away.*pose_tolerance_s=0\.201 would"):
        list(RosbagSource(tmp_path / "bag", colour))
    wide = RosbagConfig(depth_topic="none", pose_tolerance_s=0.201)
    assert len(list(RosbagSource(tmp_path / "bag", wide))) == 1


def test_the_nearest_topic_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "bag")
    with pytest.raises(SourceError, match=r"did you mean /cam/image_raw\?"):
        RosbagSource(path, RosbagConfig(color_topic="/camera/image_raw"))
