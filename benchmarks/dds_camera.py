# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The camera and odometry of `over_dds.py` and `soak.py`, a process of their own.

Run: python benchmarks/dds_camera.py --case raw|compressed|burst|depth --seconds S [--rate-hz R]
"""

import argparse
import array
import json
import threading
import time
from typing import Any

import cv2
import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ineus_core.geometry import rotation_to_quaternion
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame
from ineus_ros.large_messages import make_room_for_images
from ineus_ros.outputs.image_topics import camera_info_message, image_message

CASES = {"raw": (640, 480), "compressed": (1280, 720), "burst": (640, 480), "depth": (320, 240)}
RATE_HZ, ODOM_HZ = 30, 200
BURST = 10
"""Images at once in place of one, every second."""
VIEWS = 30
"""Different pictures; they are sent again and again, at the poses that they were taken at."""
FRAME_ID = "camera_optical"


class Camera:
    """Publishes as drivers do: images best effort, odometry on a thread of its own."""

    def __init__(self, case: str) -> None:
        """Render the pictures and advertise."""
        self._is_compressed = case == "compressed"
        self._views = views_of(*CASES[case])
        self._messages = [self._message_of(view.rgb) for view in self._views]
        self.node = rclpy.create_node("camera")
        self.sent = self.poses = 0
        self._stop = threading.Event()
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        create = self.node.create_publisher
        if self._is_compressed:
            self._color = create(CompressedImage, "color/image/compressed", qos)
        else:
            self._color = create(Image, "color/image", qos)
        self._depth = create(Image, "depth/image", qos) if case == "depth" else None
        self._info = create(CameraInfo, "color/camera_info", qos)
        self._odom = create(Odometry, "odom", QoSProfile(depth=ODOM_HZ))

    def wait_for_node(self) -> None:
        """Wait until images and poses are listened to."""
        topics = (self._color, self._info, self._odom)
        while not all(topic.get_subscription_count() for topic in topics):
            time.sleep(0.05)
        time.sleep(1.0)

    def run(self, seconds: float, burst: int, rate_hz: float) -> None:
        """Publish; `burst` images at once in place of one, at each full second."""
        thread = threading.Thread(target=self._send_poses, daemon=True)
        thread.start()
        time.sleep(0.2)
        begin_s = time.monotonic()
        for tick in range(round(seconds * rate_hz)):
            time.sleep(max(0.0, begin_s + tick / rate_hz - time.monotonic()))
            for _ in range(burst if tick % round(rate_hz) == 0 else 1):
                self._send_image()
        time.sleep(0.5)
        self._stop.set()
        thread.join()

    def _send_image(self) -> None:
        stamp = self.node.get_clock().now().to_msg()
        message = self._messages[phase_of(stamp)]
        message.header = Header(stamp=stamp, frame_id=FRAME_ID)
        self._info.publish(camera_info_message(message.header, self._views[0].camera))
        self._color.publish(message)
        if self._depth is not None:
            depth_m = self._views[phase_of(stamp)].depth_m
            assert depth_m is not None
            self._depth.publish(image_message(message.header, "32FC1", depth_m))
        self.sent += 1

    def _send_poses(self) -> None:
        begin_s = time.monotonic()
        while not self._stop.is_set():
            stamp = self.node.get_clock().now().to_msg()
            message = Odometry(child_frame_id=FRAME_ID)
            message.header = Header(stamp=stamp, frame_id="odom")
            pose = self._views[phase_of(stamp)].world_from_camera
            position, orientation = message.pose.pose.position, message.pose.pose.orientation
            position.x, position.y, position.z = map(float, pose[:3, 3])
            quaternion = map(float, rotation_to_quaternion(pose[:3, :3]))
            orientation.x, orientation.y, orientation.z, orientation.w = quaternion
            self._odom.publish(message)
            self.poses += 1
            self._stop.wait(max(0.0, begin_s + self.poses / ODOM_HZ - time.monotonic()))

    def _message_of(self, rgb: np.ndarray) -> Any:
        if not self._is_compressed:
            return image_message(Header(), "rgb8", rgb)
        _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        data = array.array("B", jpeg.tobytes())
        return CompressedImage(format="rgb8; jpeg compressed bgr8", data=data)


def phase_of(stamp: Any) -> int:
    """Which of the views is shown at a time."""
    return int((stamp.sec + stamp.nanosec * 1e-9) * RATE_HZ) % VIEWS


def views_of(width_px: int, height_px: int) -> list[Frame]:
    """Pictures of full size without the time that their rendering would take."""
    size = {"width_px": width_px // 4, "height_px": height_px // 4}
    noise = np.random.default_rng(0).integers(0, 8, (height_px, width_px, 3), dtype=np.uint8)
    return [
        _grown(frame, noise) for frame in SyntheticSource(SyntheticConfig(frames=VIEWS, **size))
    ]


def _grown(frame: Frame, noise: np.ndarray) -> Frame:
    height_px, width_px, _ = noise.shape
    camera = frame.camera
    rgb = cv2.resize(frame.rgb, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    pinhole = (4 * value for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    grown = type(camera)(width_px, height_px, *pinhole)
    depth_m = frame.depth_m
    if depth_m is not None:
        depth_m = cv2.resize(depth_m, (width_px, height_px), interpolation=cv2.INTER_NEAREST)
    rgb = rgb // 2 + 64 + noise
    return Frame(frame.stamp_ns, grown, frame.world_from_camera, rgb, depth_m)


def main() -> None:
    """Publish and say how much it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES), default="raw")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate-hz", type=float, default=RATE_HZ)
    arguments = parser.parse_args()
    make_room_for_images()
    rclpy.init()
    camera = Camera(arguments.case)
    camera.wait_for_node()
    burst = BURST if arguments.case == "burst" else 1
    camera.run(arguments.seconds, burst, arguments.rate_hz)
    print(json.dumps({"images_sent": camera.sent, "poses_sent": camera.poses}), flush=True)
    # Who listens to best effort needs a moment to hear the end of it.
    time.sleep(1.0)
    camera.node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
