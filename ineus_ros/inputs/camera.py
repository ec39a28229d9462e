# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The topics of one camera: its images, paired, its masks and its calibration."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import RosConfig
from ineus_core.sources import own_depth_camera
from ineus_core.sources.bags.frame_making import frame_id_of, used_depth_frame
from ineus_core.sources.bags.pose_policy import Mounting, optical_frame_below
from ineus_core.sources.bags.ros_messages import decode_camera, size_of_image, stamp_ns
from ineus_core.sources.bags.transforms import bare_frame_id
from ineus_core.types import Camera
from ineus_ros.drops import Drops
from ineus_ros.inputs.decoding import Decoders
from ineus_ros.inputs.message_loss import LossCounter
from ineus_ros.inputs.pairing import ImagePairing, Images
from ineus_ros.inputs.receipt import ReceiptTimes
from ineus_ros.inputs.tf import Tf
from ineus_ros.qos import of_sensors

JUMP_NS = 1_000_000_000
"""A stamp so far behind the one before is a restarted clock or bag, not a late message."""


@dataclass(frozen=True)
class Shared:
    """What all cameras of a node share."""

    drops: Drops
    counters: Counter[str]
    losses: dict[str, LossCounter]
    tf: Tf | None
    receipt: ReceiptTimes
    holds: set[str]
    """Why images go by unused, if they do."""
    on_images: Callable[["CameraInput", list[Images]], None]
    on_jump: Callable[[], None]
    """Called when the stamps of the images have jumped back."""
    now_s: Callable[[], float]
    """The clock by which depth is waited for."""


class CameraInput:
    """Subscribes to the topics of a camera and hands on what belongs together.

    Args:
        camera_id: Its place in `cameras`; 0 if that is empty.
    """

    def __init__(self, node: Node, config: RosConfig, camera_id: int, shared: Shared) -> None:
        """Subscribe."""
        self.camera_id = camera_id
        self.name = config.cameras[camera_id] if config.cameras else ""
        self._prefix = f"{self.name}/" if self.name else ""
        self._node, self._config, self._shared = node, config, shared
        self.color_calibration, self.depth_calibration = (
            Calibration(config.rectified, shared.drops, node.get_logger().warning)
            for _ in range(2)
        )
        self._color_from_depth = transform_of(config.color_from_depth)
        self._told_by_tf: dict[tuple[str, str], np.ndarray] = {}
        mountings = config.body_from_cameras or config.body_from_camera
        # x y z and a quaternion for each.
        first = 7 * camera_id if config.body_from_cameras else 0
        mounting = transform_of(mountings[first : first + 7])
        self._body_from_camera = np.eye(4) if mounting is None else mounting
        is_moved = bool(np.any(self._body_from_camera - np.eye(4)))
        # Of one camera the identity is the default, which tells nothing.
        self._is_mounting_told = is_moved or bool(config.body_from_cameras)
        self.color_frame = ""
        """Frame id of the newest colour image; empty before the first."""
        self._has_looked_at_axes = False
        self._newest_ns: int | None = None
        self.pairing = ImagePairing(config, self._is_offered, shared.drops, shared.now_s)
        self._topics: dict[str, Subscription] = {}
        self.decoders = self._subscribe_images()

    def mounting(self, frame_id: str) -> Mounting:
        """Return where the camera sits, of an image with a frame id."""
        frame = self.frame_of(frame_id)
        return Mounting(frame, self._body_from_camera, self._is_mounting_told)

    def frame_of(self, frame_id: str) -> str:
        """Return where an image is seen from whose header has a frame id, or none."""
        return frame_id_of(self._config.camera_frame, frame_id, self.color_calibration.frame_id)

    def warn_of_body_axes(self) -> None:
        """Say once that images are in a frame below which TF has an optical one of its own."""
        tf, frame = self._shared.tf, self.frame_of(self.color_frame)
        if self._has_looked_at_axes or tf is None:
            return
        self._has_looked_at_axes = True
        child = optical_frame_below(tf, frame)
        if child:
            self._node.get_logger().warning(
                f"images are in frame {frame!r}, below which TF has {child!r}; if the first has x "
                f"ahead (REP 103), camera_frame:={child} is meant"
            )

    def depth_camera(self) -> Camera | None:
        """Return the camera of the depth images if it is not that of the colour images.

        Raises:
            SourceError: While its camera_info is awaited.
        """
        if self._config.depth_camera == "color":
            return None
        depth = self.depth_calibration
        if depth.camera is None:
            # Else only if somebody publishes it.
            must = self._config.depth_camera == "own"
            if must or self._node.count_publishers(self._topics["depth_info"].topic_name):
                raise SourceError(f"no usable {self._prefix}depth/camera_info")
            return None
        said = self.color_calibration.frame_id or self.color_frame
        color = self.color_calibration.camera, self.frame_of(said)
        frame_id = used_depth_frame(depth.frame_id, bare_frame_id(said), color[1])
        return own_depth_camera(self._config.depth_camera, color, (depth.camera, frame_id))

    def color_from_depth(self, images: Images) -> np.ndarray:
        """Return the place of the depth camera in the frame of the colour camera.

        Raises:
            SourceError: If nobody tells, or `TransformNotYet` if TF may still.
        """
        assert images.depth is not None
        if self._color_from_depth is not None:
            return self._color_from_depth
        said = frame_id_of("", images.color.header.frame_id, self.color_calibration.frame_id)
        color = self.frame_of(images.color.header.frame_id)
        told = images.depth.header.frame_id or self.depth_calibration.frame_id
        depth = used_depth_frame(told, said, color)
        if depth in ("", color):
            return np.eye(4)
        if (color, depth) not in self._told_by_tf:
            if self._shared.tf is None:
                raise SourceError(
                    f"nothing tells where {depth!r} is in {color!r}: set color_from_depth"
                )
            # The two are fixed to each other, so the first answer serves for ever.
            stamp = stamp_ns(images.color.header)
            # Only the present pair: after a change of frame ids the former one will not come back.
            self._told_by_tf = {(color, depth): self._shared.tf.lookup(color, depth, stamp)}
        return self._told_by_tf[color, depth]

    def _on_color(self, message: Any) -> None:
        # Counted before anything else: from here on the image is a frame or a drop.
        self._count("color_received")
        if self._shared.holds:
            # Under one of the reasons, always the same: an image is one drop.
            self._shared.drops.add(min(self._shared.holds), "images go by unused")
            return
        self.color_frame = message.header.frame_id
        self.color_calibration.on_image(message)
        stamp = stamp_ns(message.header)
        # By colour, which leads; depth and mask of the new time find no partner in the old one.
        has_jumped = self._newest_ns is not None and stamp < self._newest_ns - JUMP_NS
        self._newest_ns = stamp
        if has_jumped:
            # Before the image is paired, which belongs to the new time already.
            self._shared.on_jump()
        self._shared.on_images(self, self.pairing.add_color(message))

    def _on_depth(self, message: Any) -> None:
        self._count("depth_received")
        self.depth_calibration.on_image(message)
        # No drop otherwise: frames and drops add up to the colour images that came.
        if not self._shared.holds:
            self._shared.on_images(self, self.pairing.add_depth(message))

    def _on_mask(self, message: Any) -> None:
        self._count("mask_received")
        if not self._shared.holds:
            self._shared.on_images(self, self.pairing.add_mask(message))

    def _count(self, what: str) -> None:
        self._shared.counters[what] += 1
        if self.name:
            self._shared.counters[f"{self.name}.{what}"] += 1

    def _subscribe_images(self) -> Decoders:
        config, subscribe = self._config, self._subscribe
        is_compressed = config.image_transport == "compressed"
        is_depth_compressed = {"same": is_compressed, "raw": False, "compressed": True}[
            config.depth_transport
        ]
        subscribe("camera_info", CameraInfo, "color/camera_info", self._on_color_info)
        if is_compressed:
            subscribe("color", CompressedImage, "color/image/compressed", self._on_color)
        else:
            subscribe("color", Image, "color/image", self._on_color)
        if config.mask_input != "none":
            subscribe("mask", Image, "mask/image", self._on_mask)
        if config.depth_input != "none":
            subscribe(
                "depth_info", CameraInfo, "depth/camera_info", self.depth_calibration.on_message
            )
            if is_depth_compressed:
                topic = "depth/image/compressedDepth"
                subscribe("depth", CompressedImage, topic, self._on_depth)
            else:
                subscribe("depth", Image, "depth/image", self._on_depth)
        return Decoders(is_compressed, is_depth_compressed, config.image_bits)

    def _on_color_info(self, message: CameraInfo) -> None:
        self._count("camera_info_received")
        self.color_calibration.on_message(message)

    def _subscribe(
        self, name: str, kind: type, topic: str, callback: Callable[[Any], None]
    ) -> None:
        qos = of_sensors(self._config, self._config.image_queue_size)
        # The subscription is made below, and nobody asks before it has brought a message.
        lost = LossCounter(lambda: self._node.count_publishers(subscription.topic_name))
        self._shared.losses[f"{self.name}.{name}" if self.name else name] = lost

        def receive(message: Any, info: Any) -> None:
            lost.on_message(info)
            # Before the callback, as all that follows goes by the stamp.
            self._shared.receipt.stamp(message.header, self._prefix + topic, info)
            callback(message)

        subscription = self._node.create_subscription(
            kind, self._prefix + topic, receive, qos, event_callbacks=lost.events()
        )
        self._topics[name] = subscription

    def _is_offered(self, name: str) -> bool:
        subscription = self._topics.get(name)
        return subscription is not None and bool(
            self._node.count_publishers(subscription.topic_name)
        )


class Calibration:
    """The camera of the newest camera_info; none after a bad one, which is counted.

    Args:
        rectified: Take P for the matrix.
        warn: Logs a warning.
    """

    def __init__(self, rectified: bool, drops: Drops, warn: Callable[[str], Any]) -> None:
        """Know nothing."""
        self.camera: Camera | None = None
        self.frame_id = ""
        self._rectified, self._drops, self._warn = rectified, drops, warn
        self._key: tuple[Any, ...] = ()
        self._without_size: CameraInfo | None = None
        """The newest camera_info, if it does not say how large images are."""
        self._image_size = (0, 0)
        self._has_warned = False

    def on_image(self, message: Image | CompressedImage) -> None:
        """Take the size of an image for a camera_info that has none."""
        if self._without_size is None:
            return
        size = size_of_image(message)
        if size != self._image_size:
            self._image_size = size
            self.on_message(self._without_size)

    def on_message(self, message: CameraInfo) -> None:
        """Take a camera_info; most are as the one before."""
        roi = message.roi
        sizes = (message.width, message.height, message.binning_x, message.binning_y)
        window = (roi.x_offset, roi.y_offset, roi.width, roi.height, message.distortion_model)
        frame_id = message.header.frame_id
        has_size = (roi.width or message.width) and (roi.height or message.height)
        self._without_size = None if has_size else message
        of_image = (0, 0) if has_size else self._image_size
        if not has_size and not all(of_image):
            # The next image tells.
            self.camera = None
            return
        told = (tuple(message.k), tuple(message.d), tuple(message.p))
        key = (frame_id, *sizes, *window, *of_image, *told)
        # NaN is not equal to itself, so a bad camera is decoded, and counted, each time.
        if key == self._key and self.camera is not None:
            return
        try:
            self.camera = decode_camera(message, self._rectified, of_image)
            self._key, self.frame_id = key, frame_id
        except Exception as error:
            self.camera = None
            # No older one in its place: after a change of size it would be wrong, and nobody would
            # know.
            self._drops.add("bad_camera_info", error)
            return
        if not has_size and not self._has_warned:
            self._has_warned = True
            self._warn("camera_info has no width and height; those of the images are taken")


def transform_of(numbers: tuple[float, ...]) -> np.ndarray | None:
    """Return the transform of x y z and a quaternion, or None of nothing."""
    given = np.asarray(numbers)
    return rigid_transform(given[:3], given[3:]) if len(given) else None
