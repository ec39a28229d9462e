# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of a bag over time: by camera_info, in the size of the images, or as configured."""

import bisect
import logging
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ineus_core.config_model import ConfigModel
from ineus_core.errors import SourceError
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.ros_messages import decode_camera
from ineus_core.sources.bags.topics import CAMERA_INFO, ImageTopic, find_camera_info, topic_list
from ineus_core.sources.doubts import warn_of_camera
from ineus_core.sources.picture_files import Size
from ineus_core.types import Camera

_LOG = logging.getLogger(__name__)

SETTINGS = "source.rosbag.fx, fy, cx, cy"
_SAME_PROPORTIONS = 0.01


class CameraConfig(ConfigModel):
    """The camera of the colour images, where no camera_info tells it rightly."""

    color_info_topic: str = Field(
        default="", description="Topic of the colour camera's camera_info; empty: found by name"
    )
    fx: float = Field(
        default=0.0, ge=0, description="Focal length in pixels of the images; 0: by camera_info"
    )
    fy: float = Field(default=0.0, ge=0, description="Focal length in pixels; 0: fx")
    cx: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    cy: float = Field(
        default=0.0, description="Principal point in pixels, centres at integers; 0: the middle"
    )
    distortion: Annotated[tuple[float, ...], Field(max_length=5)] = Field(
        default=(), description="k1 k2 p1 p2 k3 of OpenCV with fx; empty: none"
    )


@dataclass(frozen=True)
class BagCameras:
    """Cameras by the time of recording from which they hold; mostly one."""

    description: str
    """What they come from."""
    frame_id: str
    """As camera_info says; "" where there is none."""
    cameras: list[tuple[int, Camera]]

    def at(self, log_ns: int) -> Camera:
        """Return the camera of an image recorded at a time."""
        # By the time of recording: many drivers leave the stamp of camera_info at zero. The first
        # camera holds for images before it, too.
        index = bisect.bisect_right(self.cameras, log_ns, key=lambda entry: entry[0])
        return self.cameras[max(0, index - 1)][1]


def read_cameras(bag: BagFile, colour: ImageTopic, config: CameraConfig) -> BagCameras:
    """Read the camera of the colour images of a bag.

    Raises:
        SourceError: There is none, or it is for other images.
    """
    if config.fx:
        camera = _configured(config, colour)
        found = BagCameras(f"as configured, fx {config.fx:g}", "", [(0, camera)])
    elif not config.color_info_topic and not bag.of_type(CAMERA_INFO):
        width, height = colour.size_px
        raise SourceError(
            f"bag {bag.path}: no camera_info for {colour.name}: expected a topic of type "
            f"{CAMERA_INFO}, or {SETTINGS} of the images of {width} x {height} pixels; "
            f"{topic_list(bag)}"
        )
    else:
        topic = find_camera_info(bag, colour, config.color_info_topic)
        found = cameras_of_topic(bag, colour, topic)
    # Also of what was configured.
    warn_of_camera(found.cameras[0][1], f"bag {bag.path}: {found.description}", SETTINGS)
    return found


def _configured(config: CameraConfig, colour: ImageTopic) -> Camera:
    width, height = colour.size_px
    if not width:
        raise SourceError(
            f"source.rosbag.fx {config.fx}: the first image of {colour.name} cannot be decoded: "
            "its size is not known; expected a whole image"
        )
    cx, cy = config.cx or (width - 1) / 2, config.cy or (height - 1) / 2
    model = "plumb_bob" if any(config.distortion) else "none"
    lens = config.distortion if any(config.distortion) else ()
    fy = config.fy or config.fx
    # Given with pixel centres at integers, as in camera_info; here they are at halves.
    return Camera(width, height, config.fx, fy, cx + 0.5, cy + 0.5, model, lens)


def cameras_of_topic(bag: BagFile, colour: ImageTopic, topic: str) -> BagCameras:
    """Read the cameras of images from a topic of camera_info.

    Raises:
        SourceError: No message is a calibrated camera; single ones that are none are left out.
    """
    # image_proc names them so, and its camera_info is the same as of raw images.
    is_rectified = re.search(r"[/_]rect(ified)?([/_]|$)", colour.name) is not None
    cameras: list[tuple[int, Camera]] = []
    bad: list[SourceError] = []
    frame_id = ""
    for name, log_ns, raw in bag.messages([topic]):
        message = bag.decode(name, raw)
        try:
            camera = decode_camera(message, is_rectified, colour.size_px)
        except SourceError as error:
            bad.append(error)
            continue
        if not cameras:
            _say_what_is_taken(message, f"bag {bag.path}: {topic}")
            frame_id = message.header.frame_id
        # One for each image as a rule, and all the same; a lens that focuses has several.
        if not cameras or camera != cameras[-1][1]:
            cameras.append((log_ns, camera))
    if not cameras and bad:
        raise SourceError(f"bag {bag.path}: {topic}: {bad[0]}, or {SETTINGS}")
    if not cameras:
        raise SourceError(f"bag {bag.path}: no camera_info on {topic}")
    if bad:
        _LOG.warning("bag %s: %s: left out %d: %s", bag.path, topic, len(bad), bad[0])
    where = f"bag {bag.path}: {topic}"
    first = cameras[0][1]
    if colour.size_px[0] and (first.width_px, first.height_px) != colour.size_px:
        cameras = [(log_ns, _in_size_of(camera, colour, where)) for log_ns, camera in cameras]
        _LOG.warning(
            "%s is for %d x %d pixels, images of %s have %d x %d; its numbers are scaled",
            *(where, first.width_px, first.height_px, colour.name, *colour.size_px),
        )
    return BagCameras(topic, frame_id, cameras)


def _say_what_is_taken(message: object, where: str) -> None:
    if not float(message.k[0]) > 0:  # type: ignore[attr-defined]
        _LOG.warning("%s has K = 0; P is taken, without distortion", where)
    if not message.width or not message.height:  # type: ignore[attr-defined]
        _LOG.warning("%s has no width and height; those of the images are taken", where)


def _in_size_of(camera: Camera, colour: ImageTopic, where: str) -> Camera:
    """Return the camera for images that show the same in another size."""
    width, height = colour.size_px
    if not _is_same_view((camera.width_px, camera.height_px), colour.size_px):
        raise SourceError(
            f"{where} is for {camera.width_px} x {camera.height_px} pixels, images of "
            f"{colour.name} have {width} x {height}; expected the same proportions, another "
            f"source.rosbag.color_info_topic, or {SETTINGS} of the images"
        )
    return camera.resized(width, height)


def _is_same_view(size: Size, other: Size) -> bool:
    expected = other[0] * size[1] / size[0]
    return abs(expected - other[1]) <= max(1.0, _SAME_PROPORTIONS * other[1])
