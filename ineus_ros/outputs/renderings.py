# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Renderings that are asked of the worker's thread and go out on topics when they are there."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from ineus_core.types import Camera, RenderedImage
from ineus_ros.drops import Drops
from ineus_ros.outputs.image_topics import ImageTopics
from ineus_ros.outputs.status import PartStatus

Render = Callable[[Camera, np.ndarray], "Future[RenderedImage]"]


class Renderings:
    """One rendering at a time on the worker's thread, which publishes it on topics.

    Args:
        prefix: Of the topics; ends with a slash.
        render: Queues a rendering on the worker's thread.
        width_px: Most that an image is wide; 0: as wide as the camera's.
    """

    def __init__(
        self,
        node: LifecycleNode,
        prefix: str,
        render: Render,
        width_px: Callable[[], int],
    ) -> None:
        """Advertise the images and their camera_info."""
        self._topics = ImageTopics(node, prefix)
        self._render, self._width_px = render, width_px
        self.drops = Drops(node.get_logger())
        self._pending: Future[RenderedImage] | None = None
        self.counters: Counter[str] = Counter()

    @property
    def is_wanted(self) -> bool:
        """Whether anyone looks at the images."""
        return self._topics.is_wanted

    @property
    def is_busy(self) -> bool:
        """Whether a rendering is not done."""
        return self._pending is not None and not self._pending.done()

    def overtake(self) -> bool:
        """Give up the rendering that has not begun; False if there is none."""
        return self._pending is not None and self._pending.cancel()

    def begin(self, camera: Camera, world_from_camera: np.ndarray, header: Header) -> None:
        """Have a view rendered, without distortion, and published under a header."""
        # As a pinhole, which is all that camera_info without coefficients can say.
        camera = rendered_camera(camera, self._width_px())
        self._pending = self._render(camera, world_from_camera)
        self._pending.add_done_callback(lambda done: self._publish(done, camera, header))

    def status(self, name: str) -> PartStatus:
        """Return what was rendered and what failed, for /diagnostics."""
        failed = self.drops.snapshot()
        values: dict[str, object] = dict(sorted(self.counters.items()))
        values |= {f"dropped.{reason}": count for reason, count in failed.items()}
        return PartStatus(name, "ok", f"{self.counters['rendered']} views", values)

    def _publish(self, done: "Future[RenderedImage]", camera: Camera, header: Header) -> None:
        """Publish from the worker's thread."""
        # Given up for a newer one, which is no failure.
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self.drops.add("render_failed", error)
            return
        self._topics.publish(header, camera, done.result())
        self.counters["rendered"] += 1


def rendered_camera(camera: Camera, width_px: int) -> Camera:
    """Return the camera without distortion, at most so wide (0: as wide as it is)."""
    # One for both sides, unlike `resized`: pixels keep their shape, however the sides are rounded.
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
