# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag carry colour, depth, cameras and poses, by type, name and content."""

import difflib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ineus_core.errors import SourceError
from ineus_core.sources.bags.file import BagFile, BagTopic
from ineus_core.sources.bags.ros_messages import (
    DEPTH_ENCODINGS,
    image_decoder,
    is_depth_picture,
)
from ineus_core.sources.bags.transforms import bare_frame_id

_log = logging.getLogger(__name__)

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
ODOMETRY = "nav_msgs/msg/Odometry"
TF = "tf2_msgs/msg/TFMessage"
POSES = (
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/PoseWithCovarianceStamped",
    "geometry_msgs/msg/TransformStamped",
)

NO_DEPTH = "none"
"""As `depth_topic`: use colour only."""

_COLOUR_WORDS = {
    "color": 4,
    "colour": 4,
    "rgb": 4,
    "image_r": 2,
    "image_color": 2,
    "rect": 1,
    "left": 1,
}
_COLOUR_NOT = ("infra", "depth", "mask", "label", "segment", "debug", "thumb", "disparity")
_DEPTH_WORDS = {"aligned": 3, "registered": 3, "to_color": 3, "to_rgb": 3, "depth": 1}
_DEPTH_NOT = ("confidence", "disparity", "mask", "label", "rendered")
_POSE_NOT = ("goal", "initial", "target", "setpoint", "desired", "command")
_ODOM_WORDS = {"filtered": 1, "wheel": -1}


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images and what its first message says."""

    name: str
    is_compressed: bool
    is_depth: bool
    frame_id: str
    size_px: tuple[int, int]
    """Width and height; 0 where the picture cannot be decoded."""
    count: int


def find_images(
    bag: BagFile, colour_name: str, depth_name: str
) -> tuple[ImageTopic, ImageTopic | None]:
    """Find the topic of colour, and that of depth if there is one.

    Args:
        colour_name: Topic to use, or "" for the best one.
        depth_name: Topic to use, or "" for the best one, or `none`.
    """
    if colour_name:
        colour_name = require_topic(bag, colour_name, IMAGE, COMPRESSED).name
    if depth_name not in ("", NO_DEPTH):
        depth_name = require_topic(bag, depth_name, IMAGE, COMPRESSED).name
    topics = bag.of_type(IMAGE, COMPRESSED)
    images = [_look_at(bag, topic) for topic in topics]
    by_name = {image.name: image for image in images}
    colours = [image for image in images if not image.is_depth]
    if not colour_name and not colours:
        raise SourceError(f"bag {bag.path}: no colour images: {topic_list(bag)}")
    colour = by_name[colour_name] if colour_name else max(colours, key=_colour_score(bag, colours))
    depths = [image for image in images if image.is_depth and image.name != colour.name]
    if depth_name == NO_DEPTH or (not depth_name and not depths):
        return colour, None
    if depth_name:
        return colour, by_name[depth_name]
    return colour, max(depths, key=lambda image: _depth_score(image, colour))


def find_camera_info(bag: BagFile, colour: ImageTopic, name: str) -> str:
    """Find the topic of the camera of the colour images."""
    if name:
        return require_topic(bag, name, CAMERA_INFO).name
    infos = [topic.name for topic in bag.of_type(CAMERA_INFO)]
    for folder in PurePosixPath(colour.name).parents:
        if str(folder / "camera_info") in infos:
            return str(folder / "camera_info")
    if not infos:
        raise SourceError(
            f"bag {bag.path}: no camera_info for {colour.name}: expected a topic of type "
            f"{CAMERA_INFO}; {topic_list(bag)}"
        )

    def score(topic: str) -> tuple[bool, bool, int]:
        first = bag.first(topic)
        is_same_frame = bare_frame_id(first.header.frame_id) == colour.frame_id
        is_same_size = (first.width, first.height) == colour.size_px
        return is_same_size, is_same_frame, _shared_length(topic, colour.name)

    return max(infos, key=score)


def find_pose_topic(bag: BagFile, name: str, type_names: tuple[str, ...]) -> str:
    """Find a topic of poses of the given types; "" if there is none."""
    if name:
        return require_topic(bag, name, *type_names).name
    topics = [topic for topic in bag.of_type(*type_names) if not _has_word(topic.name, _POSE_NOT)]
    best = max(topics, key=lambda t: (_word_score(t.name, _ODOM_WORDS), t.count), default=None)
    return best.name if best else ""


def find_tf_topics(bag: BagFile) -> list[str]:
    """Find all topics of transforms."""
    return [topic.name for topic in bag.of_type(TF)]


def require_topic(bag: BagFile, name: str, *type_names: str) -> BagTopic:
    """Return the topic of a configured name, with or without leading slash, and of a type."""
    topic = bag.topics.get(name) or bag.topics.get(f"/{name}")
    if topic is None:
        near = difflib.get_close_matches(f"/{name.lstrip('/')}", bag.topics, n=1, cutoff=0.5)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise SourceError(f"bag {bag.path}: no topic {name}{meant}: {topic_list(bag)}")
    if topic not in bag.of_type(*type_names):
        raise SourceError(
            f"bag {bag.path}: topic {name} has {topic.count} messages of type "
            f"{topic.type_name}: expected some of {', '.join(type_names)}"
        )
    return topic


def topic_list(bag: BagFile) -> str:
    """List the topics of a bag for an error message."""
    names = [f"{t.name} ({t.type_name}, {t.count})" for t in bag.topics.values()]
    return f"the bag has {', '.join(names)}" if names else "the bag has no topic"


def _look_at(bag: BagFile, topic: BagTopic) -> ImageTopic:
    """Find out what an image topic carries from its first message."""
    message = bag.first(topic.name)
    is_compressed = bag.of_type(COMPRESSED).count(topic) > 0
    if is_compressed:
        words = (message.format + topic.name).lower()
        is_depth = "compresseddepth" in words or "16uc1" in words
        is_depth |= is_depth_picture(message) and not _has_word(topic.name, ("infra",))
    else:
        is_depth = message.encoding in DEPTH_ENCODINGS and not _has_word(topic.name, ("infra",))
        is_depth |= message.encoding == "mono16" and "depth" in topic.name
    size_px = (0, 0) if is_compressed else (int(message.width), int(message.height))
    if is_compressed:
        try:
            height, width = image_decoder(True, is_depth)(message).shape[:2]
            size_px = (width, height)
        except SourceError as error:
            _log.debug("first message of %s: %s", topic.name, error)
    frame_id = bare_frame_id(message.header.frame_id)
    return ImageTopic(topic.name, is_compressed, is_depth, frame_id, size_px, topic.count)


def _colour_score(
    bag: BagFile, images: list[ImageTopic]
) -> Callable[[ImageTopic], tuple[float, int, str]]:
    infos = {topic.name for topic in bag.of_type(CAMERA_INFO)}
    most = max(image.count for image in images)

    def score(image: ImageTopic) -> tuple[float, int, str]:
        parents = PurePosixPath(image.name).parents
        value = _word_score(image.name, _COLOUR_WORDS)
        value += 3 * any(str(folder / "camera_info") in infos for folder in parents)
        value -= 8 * _has_word(image.name, _COLOUR_NOT)
        # A topic that was hardly recorded is not the one to reconstruct from.
        value -= 8 * (image.count < 0.2 * most)
        value += 0.5 * (not image.is_compressed)
        return value, image.count, image.name

    return score


def _depth_score(image: ImageTopic, colour: ImageTopic) -> tuple[float, int, int]:
    value = _word_score(image.name, _DEPTH_WORDS)
    value += 5 * (image.size_px == colour.size_px) + 2 * (image.frame_id == colour.frame_id)
    value -= 8 * _has_word(image.name, _DEPTH_NOT)
    value += 0.5 * (not image.is_compressed)
    return value, _shared_length(image.name, colour.name), image.count


def _word_score(name: str, weights: dict[str, int]) -> float:
    return sum(weight for word, weight in weights.items() if word in name.lower())


def _has_word(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name.lower() for word in words) or bool(re.search(r"/ir\d?(/|$)", name))


def _shared_length(a: str, b: str) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
