# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What else a bag could take its poses from, each with the settings that choose it."""

from collections.abc import Iterator
from typing import Any

from ineus_core.errors import IneusError
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.poses import BagPoses, PoseConfig
from ineus_core.sources.bags.topics import ODOMETRY, POSES
from ineus_core.sources.bags.transforms import bare_frame_id

_MOST = 8


def other_poses(
    bag: BagFile, config: PoseConfig, camera_frame: str
) -> list[tuple[dict[str, Any], BagPoses]]:
    """Return the poses of other topics and of other worlds of TF, by the settings they need."""
    found: list[tuple[dict[str, Any], BagPoses]] = []
    for settings in _candidates(bag, config, camera_frame):
        try:
            poses = BagPoses(bag, config.model_copy(update=settings), camera_frame)
        except IneusError:
            continue
        found.append((settings, poses))
        if len(found) == _MOST:
            break
    return found


def _candidates(bag: BagFile, config: PoseConfig, camera_frame: str) -> Iterator[dict[str, Any]]:
    # A body that was named is that of another topic, perhaps.
    topic = {"pose_topic": "", "odom_topic": ""}
    for found in bag.of_type(ODOMETRY):
        yield topic | {"odom_topic": found.name, "pose_source": "odom"}
    for found in bag.of_type(*POSES):
        yield topic | {"pose_topic": found.name, "pose_source": "pose"}
    for world in worlds_above(bag, config, camera_frame):
        yield topic | {"global_frame": world, "pose_source": "tf"}


def worlds_above(bag: BagFile, config: PoseConfig, camera_frame: str) -> list[str]:
    """Return the frame ids above the camera in the tree of TF, the root first."""
    try:
        poses = BagPoses(bag, config.model_copy(update={"pose_source": "tf"}), camera_frame)
    except IneusError:
        return []
    names = poses.frames_above(bare_frame_id(camera_frame))
    return [name for name in reversed(names) if name != bare_frame_id(camera_frame)]
