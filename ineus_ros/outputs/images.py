# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered colour, depth and normals at the newest camera pose, only while someone looks."""

import array
import dataclasses
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ineus_core.geometry import opencv_matrix
from ineus_core.ros_config import RosConfig
from ineus_core.types import Camera, RenderedImage
from ineus_ros.inputs import Inputs, View
from ineus_ros.timers import wall_timer

Render = Callable[[Camera, np.ndarray], "Future[RenderedImage]"]


class ImagePublisher:
    """Asks the worker for one image at a time and publishes it when it is there.

    Args:
        inputs: Know the newest view and count what fails.
        render: Queues a rendering on the worker's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        inputs: Inputs,
        render: Render,
    ) -> None:
        """Advertise the images and their camera_info."""
        qos = QoSProfile(depth=1)
        create = node.create_lifecycle_publisher
        self._images = {
            name: create(Image, f"~/{name}/image", qos) for name in ("color", "depth", "normal")
        }
        self._infos = [create(CameraInfo, name, qos) for name in INFO_TOPICS]
        self._config = config
        self._inputs = inputs
        self._render = render
        self._pending: Future[RenderedImage] | None = None
        self.counters: Counter[str] = Counter()
        self._node = node
        self._rate_hz = 0.0
        self._timer = wall_timer(node, 1.0, self._tick)

    def _tick(self) -> None:
        self._follow_rate()
        view = self._inputs.newest
        is_wanted = any(image.get_subscription_count() for image in self._images.values())
        if view is None or not is_wanted or not self._config().render_rate_hz:
            return
        if self._pending is not None and not self._pending.done():
            return
        camera = rendered_camera(view.frame.camera, self._config().render_width_px)
        self._pending = self._render(camera, view.frame.world_from_camera)
        self._pending.add_done_callback(lambda done: self._publish(done, camera, view))

    def _follow_rate(self) -> None:
        """Take a new rate while running; without one, look once a second if there is one again."""
        rate_hz = self._config().render_rate_hz or 1.0
        if rate_hz != self._rate_hz:
            self._rate_hz = rate_hz
            self._timer.timer_period_ns = round(1e9 / rate_hz)
            self._timer.reset()

    def _publish(self, done: "Future[RenderedImage]", camera: Camera, view: View) -> None:
        """Publish from the worker's thread."""
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._inputs.drops.add("render_failed", error)
            return
        rendered = done.result()
        header = Header(frame_id=view.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(view.frame.stamp_ns, 1_000_000_000)
        pictures = {
            "color": ("rgb8", rendered.rgb),
            "depth": ("32FC1", rendered.depth_m),
            "normal": ("rgb8", normal_colours(rendered.normal)),
        }
        for name, (encoding, pixels) in pictures.items():
            if self._images[name].get_subscription_count():
                self._images[name].publish(image_message(header, encoding, pixels))
        info = camera_info_message(header, camera)
        for publisher in self._infos:
            publisher.publish(info)
        self.counters["rendered"] += 1


INFO_TOPICS = ("~/camera_info", "~/color/camera_info", "~/depth/camera_info")
"""The first is the interface's; the others stand beside their image, where RViz looks."""


def rendered_camera(camera: Camera, width_px: int) -> Camera:
    """The camera without distortion, at most so wide (0: as wide as it is)."""
    scale = min(1.0, width_px / camera.width_px) if width_px else 1.0
    return dataclasses.replace(
        camera,
        width_px=max(1, round(camera.width_px * scale)),
        height_px=max(1, round(camera.height_px * scale)),
        fx=camera.fx * scale,
        fy=camera.fy * scale,
        cx=camera.cx * scale,
        cy=camera.cy * scale,
        distortion_model="none",
        distortion=(),
    )


def normal_colours(normal: np.ndarray) -> np.ndarray:
    """World normals [h w 3] as colours: -1 to 1 becomes 0 to 255; black where there is none."""
    colours = np.round((normal + 1.0) * 127.5).astype(np.uint8)
    colours[~normal.any(axis=-1)] = 0
    return colours


def image_message(header: Header, encoding: str, pixels: np.ndarray) -> Image:
    """A sensor_msgs/Image of an array [h w ...]."""
    message = Image(header=header, encoding=encoding)
    message.height, message.width = pixels.shape[:2]
    message.step = pixels[0].nbytes
    # Any other type of data is checked value by value, which takes a hundred times as long.
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    return message


def camera_info_message(header: Header, camera: Camera) -> CameraInfo:
    """A sensor_msgs/CameraInfo of a camera without distortion."""
    matrix = opencv_matrix(camera)
    message = CameraInfo(header=header, width=camera.width_px, height=camera.height_px)
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = matrix.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack((matrix, np.zeros((3, 1)))).ravel()
    return message
