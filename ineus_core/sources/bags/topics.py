# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag carry colour, depth, cameras and poses, by type, name and content."""

import difflib
import logging
import re
from collections.abc import Callable, Sequence
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
_POSE_WORDS = {"filtered": 1, "wheel": -1} | dict.fromkeys(
    ("marker", "aruco", "apriltag", "detect", "object"), -2
)
_PREVIEW = ("preview", "thumb")
_MOST_POSE_TOPICS = 6


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
    is_grey: bool = False


def find_images(
    bag: BagFile,
    colour_name: str,
    depth_name: str,
    within: Sequence[str] = (),
    is_joined: Callable[[str, str], bool] = lambda colour, depth: False,
) -> tuple[ImageTopic, ImageTopic | None]:
    """Find the topics of colour and of depth, if there is any, that suit each other best.

    Args:
        colour_name: Topic to use, or "" for the best one.
        depth_name: Topic to use, or "" for the best one, or `none`.
        within: Names that a topic has in its path: of the robot, of the camera.
        is_joined: Decides whether TF knows the place of two frame ids to each other.
    """
    for name in (colour_name, depth_name):
        if name not in ("", NO_DEPTH):
            require_topic(bag, name, IMAGE, COMPRESSED)
    named = {f"/{name.lstrip('/')}" for name in (colour_name, depth_name) if name}
    topics = bag.of_type(IMAGE, COMPRESSED)
    inside = topics_within(bag, within, IMAGE, COMPRESSED)
    images = [_look_at(bag, t) for t in topics if t in inside or f"/{t.name.lstrip('/')}" in named]
    colours = [image for image in images if not image.is_depth]
    if colour_name:
        colours = [image for image in images if _is_called(image, colour_name)]
    if not colours:
        of = "".join(f" of {name}" for name in within if name)
        raise SourceError(f"bag {bag.path}: no colour images{of}: {topic_list(bag)}")
    depths = [image for image in images if image.is_depth and not colour_name == image.name]
    if depth_name:
        depths = [image for image in images if _is_called(image, depth_name)]
    score = _pair_score(bag, images, is_joined)
    pairs: list[tuple[ImageTopic, ImageTopic | None]] = [
        (colour, depth) for colour in colours for depth in depths or (None,) if colour != depth
    ]
    return max(pairs or [(colours[0], None)], key=lambda pair: score(*pair))


def _is_called(image: ImageTopic, name: str) -> bool:
    return image.name.lstrip("/") == name.lstrip("/")


def find_depth_info(bag: BagFile, depth: ImageTopic, colour_info: str) -> str:
    """Find the topic of a camera that depth has of its own; "" if it shares that of colour."""
    folder = PurePosixPath(depth.name).parent
    # A transport is one level below the images that it carries.
    folders = (folder, folder.parent) if depth.is_compressed else (folder,)
    infos = {topic.name for topic in bag.of_type(CAMERA_INFO)}
    names = (str(folder / "camera_info") for folder in folders)
    found = next((name for name in names if name in infos), "")
    return "" if found == colour_info else found


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


def find_pose_topics(
    bag: BagFile, name: str, type_names: tuple[str, ...], namespace: str = ""
) -> list[str]:
    """Find topics of poses of the given types, by falling preference."""
    if name:
        return [require_topic(bag, name, *type_names).name]
    topics = [
        topic
        for topic in topics_within(bag, (namespace,), *type_names)
        if not _has_word(topic.name, _POSE_NOT)
    ]
    # The one with more messages, of names that say as much.
    topics.sort(key=lambda t: (_word_score(t.name, _POSE_WORDS), t.count), reverse=True)
    return [topic.name for topic in topics[:_MOST_POSE_TOPICS]]


def find_tf_topics(bag: BagFile, namespace: str = "") -> list[str]:
    """Find all topics of transforms; those of a robot, where it has some of its own."""
    own = topics_within(bag, (namespace,), TF)
    return [topic.name for topic in own or bag.of_type(TF)]


def topics_within(bag: BagFile, names: Sequence[str], *type_names: str) -> list[BagTopic]:
    """List topics of the given types whose path holds all of some names; an empty name is in all.

    So a topic belongs to a robot by its namespace, and to a camera of that robot by its name.
    """
    wanted = [f"/{name.strip('/')}/" for name in names if name.strip("/")]
    return [
        topic
        for topic in bag.of_type(*type_names)
        if all(word in f"/{topic.name.lstrip('/')}" for word in wanted)
    ]


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
        # Infrared comes in 16 bits as well.
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
    is_grey = not is_compressed and message.encoding in ("mono8", "mono16", "8UC1")
    return ImageTopic(topic.name, is_compressed, is_depth, frame_id, size_px, topic.count, is_grey)


def _pair_score(
    bag: BagFile, images: list[ImageTopic], is_joined: Callable[[str, str], bool]
) -> Callable[[ImageTopic, ImageTopic | None], tuple[float, float, int, str]]:
    """Return how well a topic of colour and one of depth serve together; ties go by the rest."""
    infos = {topic.name for topic in bag.of_type(CAMERA_INFO)}
    most = max((image.count for image in images if not image.is_depth), default=1)

    def of_colour(image: ImageTopic) -> float:
        parents = PurePosixPath(image.name).parents
        value = _word_score(image.name, _COLOUR_WORDS)
        # Pictures whose camera nobody knows are of no use.
        value += 3 * any(str(folder / "camera_info") in infos for folder in parents)
        value -= (
            3 * image.is_grey
            + 8 * _has_word(image.name, _COLOUR_NOT)
            + 2 * _has_word(image.name, _PREVIEW)
        )
        # A topic that was hardly recorded is not the one to reconstruct from.
        value -= 8 * (image.count < 0.2 * most)
        return value + 0.5 * (not image.is_compressed)

    def score(colour: ImageTopic, depth: ImageTopic | None) -> tuple[float, float, int, str]:
        value, shared = of_colour(colour), 0
        if depth is not None:
            value += _depth_score(depth, colour, is_joined)
            shared = _shared_length(depth.name, colour.name)
        # By name at last, so that the choice does not depend on the order of the file.
        return value, shared, colour.count, colour.name

    return score


def _depth_score(
    image: ImageTopic, colour: ImageTopic, is_joined: Callable[[str, str], bool]
) -> float:
    value = _word_score(image.name, _DEPTH_WORDS)
    is_same_frame = image.frame_id == colour.frame_id
    value += 5 * (image.size_px == colour.size_px) + 2 * is_same_frame
    # Of another frame, whose place nobody knows, it cannot be brought to colour.
    value += 2 * (not is_same_frame and is_joined(colour.frame_id, image.frame_id))
    value -= 8 * _has_word(image.name, _DEPTH_NOT)
    return value + 0.5 * (not image.is_compressed)


def _word_score(name: str, weights: dict[str, int]) -> float:
    return sum(weight for word, weight in weights.items() if word in name.lower())


def _has_word(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name.lower() for word in words) or bool(re.search(r"/ir\d?(/|$)", name))


def _shared_length(a: str, b: str) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
