# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered colour, depth and normals, at the newest camera pose and at poses asked for."""

from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from ineus_core.errors import SourceError
from ineus_core.ros_config import RosConfig
from ineus_core.sources.bags.ros_messages import decode_transform
from ineus_ros.inputs import Inputs
from ineus_ros.outputs.headers import header_of
from ineus_ros.outputs.renderings import Render, Renderings
from ineus_ros.outputs.status import PartStatus
from ineus_ros.timers import RateTimer


class ImagePublisher:
    """Asks the worker for one image at a time and publishes it when it is there.

    Args:
        inputs: Know the newest view.
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
        self._renderings = Renderings(node, "~/", render, lambda: config().render_width_px)
        self._inputs = inputs
        self._timer = RateTimer(node, lambda: config().render_rate_hz, self._tick)

    def status(self) -> PartStatus:
        """Return what was rendered, for /diagnostics."""
        return self._renderings.status("images")

    def _tick(self) -> None:
        """Begin a rendering if someone subscribes and the last one is done."""
        view, is_wanted = self._inputs.newest, self._renderings.is_wanted
        # Whoever asked has left: the worker need not render for nobody.
        if not is_wanted:
            self._renderings.overtake()
        if view is None or not is_wanted or self._renderings.is_busy:
            return
        header = header_of(view.frame.stamp_ns, view.frame_id)
        self._renderings.begin(view.frame.camera, view.frame.world_from_camera, header)


class ViewRequests:
    """Renders what a camera would see at the poses of `~/render`, by the newest image's camera.

    Args:
        inputs: Know the camera and the frame id of the world.
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
        self._renderings = Renderings(node, "~/render/", render, lambda: config().render_width_px)
        self._inputs, self.counters = inputs, self._renderings.counters
        self._subscription = node.create_subscription(PoseStamped, "~/render", self.on_pose, 1)

    def on_pose(self, message: Any) -> None:
        """Have a view rendered, if someone looks."""
        self.counters["requests"] += 1
        if not self._renderings.is_wanted:
            # On a CPU a view takes seconds, in which nobody would look.
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
            self._renderings.drops.add("bad_request", error)
            return
        # Only the newest wish counts, as of who steers a camera.
        if self._renderings.overtake():
            self.counters["requests_overtaken"] += 1
        header = Header(stamp=message.header.stamp, frame_id=view.frame_id)
        self._renderings.begin(view.frame.camera, pose, header)

    def status(self) -> PartStatus:
        """Return what was asked for, for /diagnostics."""
        return self._renderings.status("render")
