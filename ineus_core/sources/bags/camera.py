# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of a bag: its topics, its calibration, and which of its images belong together."""

import logging
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field, ValidationInfo, field_validator

from ineus_core.errors import SourceError
from ineus_core.geometry import rigid_transform
from ineus_core.ros_config import with_unit_quaternions
from ineus_core.sources.bags.cameras import (
    BagCameras,
    CameraConfig,
    cameras_of_topic,
    read_cameras,
)
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.frame_making import (
    PlacedImages,
    frame_id_of,
    make_frame,
    used_depth_frame,
)
from ineus_core.sources.bags.matcher import NearestStampMatcher
from ineus_core.sources.bags.poses import PoseConfig
from ineus_core.sources.bags.ros_messages import (
    UsedBits,
    decode_compressed_image,
    decode_image,
    image_decoder,
)
from ineus_core.sources.bags.topics import find_depth_info, find_images
from ineus_core.sources.bags.transforms import TransformTree
from ineus_core.sources.depth_registration import own_depth_camera
from ineus_core.types import Camera, Frame

_log = logging.getLogger(__name__)


class RosbagConfig(PoseConfig, CameraConfig):
    """Which topics of a bag are used, and how they are brought together."""

    cameras: Annotated[tuple[str, ...], Field(max_length=4)] = Field(
        default=(),
        description="Names of several cameras, up to 4, each a part of the path of its topics, "
        "such as front of /robot/front/color/image_raw; empty: one camera",
    )
    color_topic: str = Field(
        default="", description="Topic of colour; empty: found by type and name"
    )
    camera_frame: str = Field(
        default="", description="Frame id of the colour images; empty: as their headers say"
    )
    image_bits: Literal[0, 8, 10, 12, 14, 16] = Field(
        default=0,
        description="Bits that images of 16 bits use; 0: by the first ones, 10, 12 or 16",
    )
    depth_topic: str = Field(
        default="",
        description="Topic of depth; empty: found by encoding and name; none: colour only",
    )
    depth_info_topic: str = Field(
        default="",
        description="Topic of the depth camera's camera_info; empty: that beside the images",
    )
    depth_camera: Literal["auto", "color", "own"] = Field(
        default="auto",
        description="color: depth is registered to colour; own: it has its own camera_info and is "
        "registered here; auto: own if that differs from colour's",
    )
    color_from_depth: Annotated[tuple[float, ...], Field(max_length=7)] = Field(
        default=(),
        description="Depth camera in the frame of the colour camera (optical axes), where TF "
        "cannot tell: x y z in m, then quaternion x y z w",
    )
    sync_tolerance_s: float = Field(
        default=0.02,
        ge=0,
        description="Largest difference of colour and depth stamps, in seconds",
    )
    reorder_s: float = Field(
        default=0.1,
        ge=0,
        description="How late an image may be recorded after a newer one, in seconds",
    )
    queue_size: int = Field(default=60, ge=1, description="Images of a topic held while matching")

    @field_validator("camera_frame")
    @classmethod
    def _is_of_one_camera(cls, value: str, info: ValidationInfo) -> str:
        if value and len(info.data.get("cameras", ())) > 1:
            raise ValueError(f"{value!r} with several cameras; expected frame ids in their images")
        return value

    @field_validator("color_from_depth")
    @classmethod
    def _is_a_transform(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return with_unit_quaternions(value)


class Image(NamedTuple):
    """A message, with its stamp and the time of its recording."""

    stamp_ns: int
    log_ns: int
    message: Any


class BagCamera:
    """Finds the topics of a camera, and makes frames of its images.

    Args:
        tree: TF of the bag, which knows where depth is seen from.
        camera_id: Its place in `cameras`; 0 if that is empty.

    Raises:
        SourceError: There is no colour or no calibration, or depth has a place that nobody knows.
    """

    def __init__(
        self, bag: BagFile, config: RosbagConfig, tree: TransformTree, camera_id: int = 0
    ) -> None:
        """Choose topics, and read the calibration."""
        self.camera_id, self._config, self._tree = camera_id, config, tree
        self.name = config.cameras[camera_id] if config.cameras else ""
        within = (config.namespace, self.name)
        self.colour, self.depth = find_images(
            bag, config.color_topic, config.depth_topic, within, tree.is_connected
        )
        self._cameras = read_cameras(bag, self.colour, config)
        told = (self.colour.frame_id, self._cameras.frame_id)
        self._said_frame_id = frame_id_of("", *told)
        self.frame_id = frame_id_of(config.camera_frame, *told)
        self._bits = config.image_bits or self._used_bits(bag)
        self._depth_cameras = self._own_depth(bag)
        self._color_from_depth: np.ndarray | None = None
        if config.color_from_depth:
            numbers = np.array(config.color_from_depth)
            self._color_from_depth = rigid_transform(numbers[:3], numbers[3:])
        self._check_depth_place(bag)
        self.start()

    @property
    def topics(self) -> list[str]:
        """Topics of images that are read."""
        return [topic.name for topic in (self.colour, self.depth) if topic]

    @property
    def _depth_frame(self) -> str:
        """Frame id of depth; some drivers set it in camera_info only."""
        own = "" if self._depth_cameras is None else self._depth_cameras.frame_id
        return self._used_frame((self.depth.frame_id if self.depth else "") or own)

    def _used_frame(self, depth_frame: str) -> str:
        return used_depth_frame(depth_frame, self._said_frame_id, self.frame_id)

    @property
    def registers_depth(self) -> bool:
        """Whether depth is brought to the colour camera here."""
        return self._depth_camera(0, 0) is not None

    @property
    def unmatched(self) -> int:
        """Colour images that found no depth of their time, or the queue full."""
        return self._matcher.dropped[self.colour.name]

    def start(self) -> None:
        """Begin a new reading of the bag."""
        self.newest_ns = -1
        # Anew, as what one reading left would come into the next.
        self._matcher = NearestStampMatcher(
            self.topics,
            tolerance_ns=round(self._config.sync_tolerance_s * 1e9),
            capacity=self._config.queue_size,
            reorder_ns=round(self._config.reorder_s * 1e9),
        )

    def add(self, topic: str, image: Image) -> list[tuple[Image, ...]]:
        """Take an image; return what is now known to belong together, by rising stamp."""
        return self._noted(self._matcher.add(topic, image.stamp_ns, image))

    def finish(self) -> list[tuple[Image, ...]]:
        """Return what belongs together of the rest, as no more images will come."""
        return self._noted(self._matcher.finish())

    def frame(self, images: tuple[Image, ...], world_from_camera: np.ndarray) -> Frame:
        """Make a frame.

        Raises:
            UnusableImages: An image is damaged, or has another size than its camera.
        """
        color, depth = images[0], images[1] if len(images) > 1 else None
        depth_camera = None if depth is None else self._depth_camera(color.log_ns, depth.log_ns)
        placed = PlacedImages(
            color.message,
            None if depth is None else depth.message,
            None,
            self._cameras.at(color.log_ns),
            world_from_camera,
            depth_camera,
            np.eye(4) if depth_camera is None else self._place_of_depth(color.stamp_ns),
            self.camera_id,
            color.stamp_ns,
        )
        is_depth_compressed = self.depth is not None and self.depth.is_compressed
        return make_frame(placed, self._decode_colour, image_decoder(is_depth_compressed, True))

    def describe(self) -> dict[str, str]:
        """Describe what is used, for people."""
        of = f" of {self.name}" if self.name else ""
        size = " x ".join(map(str, self.colour.size_px))
        depth = self.depth.name if self.depth else "none (colour only)"
        registered = ", registered here to colour" if self.registers_depth else ""
        return {
            f"colour{of}": f"{self.colour.name} ({size}, frame id {self.colour.frame_id})",
            f"camera{of}": self._cameras.description,
            f"depth{of}": depth + registered,
        }

    def _noted(self, sets: list[tuple[Image, ...]]) -> list[tuple[Image, ...]]:
        # What is known of time here lets other cameras' sets go.
        if sets:
            self.newest_ns = max(self.newest_ns, sets[-1][0].stamp_ns)
        return sets

    def _decode_colour(self, message: Any) -> np.ndarray:
        if self.colour.is_compressed:
            return decode_compressed_image(message)
        return decode_image(message, self._bits)

    def _used_bits(self, bag: BagFile) -> int:
        if self.colour.is_compressed:
            return 16
        used = UsedBits()
        try:
            for name, _, data in bag.messages([self.colour.name]):
                message = bag.decode(name, data)
                if used.is_known or "16" not in message.encoding:
                    break
                used.look(message)
        except SourceError:
            # Damaged ones are counted when they are read.
            return 16
        bits = used.bits
        if bits < 16:
            _log.warning(
                "bag %s: images of %s use %d of their 16 bits and are read so; "
                "source.rosbag.image_bits=16 reads them as they are",
                *(bag.path, self.colour.name, bits),
            )
        return bits

    def _own_depth(self, bag: BagFile) -> BagCameras | None:
        """Read the camera that depth has of its own, if it has one."""
        if self.depth is None or self._config.depth_camera == "color":
            return None
        colours = self._cameras.description
        topic = self._config.depth_info_topic or find_depth_info(bag, self.depth, colours)
        if topic:
            return cameras_of_topic(bag, self.depth, topic)
        if self._config.depth_camera == "own":
            raise SourceError(
                f"bag {bag.path}: depth_camera own, and no camera_info beside {self.depth.name}: "
                "expected one, or depth_info_topic"
            )
        return None

    def _depth_camera(self, color_log_ns: int, depth_log_ns: int) -> Camera | None:
        """Return the camera of the depth images if it is not that of the colour images."""
        if self._depth_cameras is None:
            return None
        color = self._cameras.at(color_log_ns), self.frame_id
        own = self._depth_cameras
        depth = own.at(depth_log_ns), self._used_frame(own.frame_id)
        return own_depth_camera(self._config.depth_camera, color, depth)

    def _place_of_depth(self, stamp: int) -> Float[np.ndarray, "4 4"]:
        """Return the place of the depth camera in the frame of the colour camera."""
        if self._color_from_depth is None:
            frame_id = self._depth_frame
            if frame_id in ("", self.frame_id):
                self._color_from_depth = np.eye(4)
            else:
                # The two are fixed to each other, so the first answer serves for ever.
                self._color_from_depth = self._tree.lookup(self.frame_id, frame_id, stamp)
        return self._color_from_depth

    def _check_depth_place(self, bag: BagFile) -> None:
        """Raise if depth has a place of its own that nobody knows."""
        if self.depth is None or self._color_from_depth is not None or not self.registers_depth:
            return
        frame_id = self._depth_frame
        if frame_id in ("", self.frame_id) or self._tree.is_connected(self.frame_id, frame_id):
            return
        raise SourceError(
            f"bag {bag.path}: depth of {self.depth.name} has a camera of its own in "
            f"{frame_id!r}, and nothing tells where that is in {self.frame_id!r}: expected a "
            "transform between the two on /tf_static, or source.rosbag.color_from_depth; "
            "depth_camera: color says that it is registered to colour, depth_topic: none leaves "
            "it out"
        )
