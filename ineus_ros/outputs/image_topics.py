# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered views as messages, and the topics that they go out on."""

import array

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ineus_core.evaluation import normal_colours
from ineus_core.geometry import opencv_matrix
from ineus_core.types import Camera, RenderedImage


class ImageTopics:
    """Colour, depth, normals and their camera_info under one name.

    Args:
        prefix: Before `color/image` and the others; ends with a slash.
    """

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        """Advertise."""
        # Whoever is slow wants the newest view, not those that it has missed.
        qos = QoSProfile(depth=1)
        create = node.create_lifecycle_publisher
        self._images = {
            name: create(Image, f"{prefix}{name}/image", qos)
            for name in ("color", "depth", "normal")
        }
        # The first is the interface's; the others stand beside their image, where RViz looks.
        infos = ("camera_info", "color/camera_info", "depth/camera_info")
        self._infos = [create(CameraInfo, prefix + name, qos) for name in infos]

    @property
    def is_wanted(self) -> bool:
        """Whether anyone looks at the images."""
        return any(image.get_subscription_count() for image in self._images.values())

    def publish(self, header: Header, camera: Camera, rendered: RenderedImage) -> None:
        """Publish the images that are looked at, and their camera."""
        pictures = {
            "color": ("rgb8", rendered.rgb),
            "depth": ("32FC1", rendered.depth_m),
            "normal": ("rgb8", normal_colours(rendered.normal, nothing=0)),
        }
        for name, (encoding, pixels) in pictures.items():
            if self._images[name].get_subscription_count():
                self._images[name].publish(image_message(header, encoding, pixels))
        info = camera_info_message(header, camera)
        for publisher in self._infos:
            publisher.publish(info)


def image_message(header: Header, encoding: str, pixels: np.ndarray) -> Image:
    """Make a sensor_msgs/Image of an array [h w ...]."""
    message = Image(header=header, encoding=encoding)
    message.height, message.width = pixels.shape[:2]
    message.step = pixels[0].nbytes
    # Any other type of data is checked value by value, which takes a hundred times as long.
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    return message


def camera_info_message(header: Header, camera: Camera) -> CameraInfo:
    """Make a sensor_msgs/CameraInfo of a camera without distortion."""
    matrix = opencv_matrix(camera)
    message = CameraInfo(header=header, width=camera.width_px, height=camera.height_px)
    message.distortion_model = "plumb_bob"
    # plumb_bob has five, also where all of them are 0.
    message.d = [0.0] * 5
    message.k = matrix.ravel()
    # Without distortion a picture is its own rectified one: no rotation, and P is K.
    message.r = np.eye(3).ravel()
    message.p = np.hstack((matrix, np.zeros((3, 1)))).ravel()
    return message
