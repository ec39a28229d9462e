# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What else a bag could take its poses from, each with the settings that choose it."""

from collections.abc import Iterator, Sequence
from typing import Any

from ineus_core.errors import IneusError
from ineus_core.sources.bags.file import BagFile
from ineus_core.sources.bags.poses import BagPoses, PoseConfig
from ineus_core.sources.bags.tf_reading import BagTransforms
from ineus_core.sources.bags.topics import ODOMETRY, POSES, topics_within

_MOST = 8


def other_poses(
    bag: BagFile, config: PoseConfig, camera_frames: Sequence[str], transforms: BagTransforms
) -> list[tuple[dict[str, Any], BagPoses]]:
    """Return the poses of other topics and of other worlds of TF, by the settings they need."""
    found: list[tuple[dict[str, Any], BagPoses]] = []
    for settings in _candidates(bag, config, camera_frames[0], transforms):
        try:
            chosen = config.model_copy(update=settings)
            poses = BagPoses(bag, chosen, camera_frames, transforms)
        except IneusError:
            continue
        found.append((settings, poses))
        if len(found) == _MOST:
            break
    return found


def _candidates(
    bag: BagFile, config: PoseConfig, camera_frame: str, transforms: BagTransforms
) -> Iterator[dict[str, Any]]:
    # A body that was named is that of another topic, perhaps.
    topic = {"pose_topic": "", "odom_topic": ""}
    within = (config.namespace,)
    for found in topics_within(bag, within, ODOMETRY):
        yield topic | {"odom_topic": found.name, "pose_source": "odom"}
    for found in topics_within(bag, within, *POSES):
        yield topic | {"pose_topic": found.name, "pose_source": "pose"}
    names = transforms.tree.ancestors(camera_frame)
    # The root first: what is above corrects the drift of what is below.
    for world in reversed(names[1:]):
        yield topic | {"global_frame": world, "pose_source": "tf"}
