# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered colour, depth and normals, at the newest camera pose and at poses asked for."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from ineus_core.errors import SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.ros_messages import decode_transform
from ineus_core.types import Camera, RenderedImage
from ineus_ros.inputs import Inputs, View
from ineus_ros.outputs.image_topics import ImageTopics
from ineus_ros.outputs.status import PartStatus
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
        self._topics = ImageTopics(node, "~/")
        self._config, self._inputs, self._render = config, inputs, render
        self._pending: Future[RenderedImage] | None = None
        self._rate_hz = 0.0
        self._timer = wall_timer(node, 1.0, self._tick)

    def _tick(self) -> None:
        """Nothing is rendered without a subscriber, nor faster than it is done."""
        self._follow_rate()
        view = self._inputs.newest
        if view is None or not self._topics.is_wanted or not self._config().render_rate_hz:
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
        header = Header(frame_id=view.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(view.frame.stamp_ns, 1_000_000_000)
        self._topics.publish(header, camera, done.result())


class ViewRequests:
    """Renders what a camera would see at the poses of `~/render`, by the newest image's camera.

    Args:
        inputs: Know the camera and the frame id of the world, and count what fails.
        render: Queues a rendering on the worker's thread.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], RosConfig],
        inputs: Inputs,
        render: Render,
    ) -> None:
        """Subscribe to ~/render; advertise ~/render/color/image and the others."""
        self._topics = ImageTopics(node, "~/render/")
        self._config, self._inputs, self._render = config, inputs, render
        self._pending: Future[RenderedImage] | None = None
        self.counters: Counter[str] = Counter()
        self._subscription = node.create_subscription(PoseStamped, "~/render", self.on_pose, 1)

    def on_pose(self, message: Any) -> None:
        """Have a view rendered, if someone looks."""
        self.counters["requests"] += 1
        if not self._topics.is_wanted:
            self.counters["requests_without_listener"] += 1
            return
        view, world = self._inputs.newest, self._inputs.world_frame
        try:
            if view is None:
                raise SourceError("~/render before the first image: expected a camera first")
            frame = message.header.frame_id.lstrip("/")
            if frame not in ("", world):
                raise SourceError(f"~/render in {frame!r}: expected {world!r}")
            pose = decode_transform(message)
        except SourceError as error:
            self._inputs.drops.add("render_failed", error)
            return
        # Only the newest wish counts, as of who steers a camera.
        if self._pending is not None and self._pending.cancel():
            self.counters["requests_overtaken"] += 1
        camera = rendered_camera(view.frame.camera, self._config().render_width_px)
        header = Header(stamp=message.header.stamp, frame_id=view.frame_id)
        self._pending = self._render(camera, pose)
        self._pending.add_done_callback(lambda done: self._publish(done, camera, header))

    def status(self) -> PartStatus:
        """What was asked for, for /diagnostics."""
        message = f"{self.counters['rendered']} views"
        return PartStatus("render", "ok", message, dict(sorted(self.counters.items())))

    def _publish(self, done: "Future[RenderedImage]", camera: Camera, header: Header) -> None:
        """Publish from the worker's thread."""
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._inputs.drops.add("render_failed", error)
            return
        self._topics.publish(header, camera, done.result())
        self.counters["rendered"] += 1


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
