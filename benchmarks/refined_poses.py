# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that were held out, where the map has moved those beside them."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ineus_core.geometry import rigid_inverse
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame


def as_refined(
    frames: Iterable[Frame], given: Iterable[Frame], reconstructor: Reconstructor
) -> list[Frame]:
    """Move frames as the keyframes nearest in time were moved by the map.

    Args:
        given: The frames that went into the map, with the poses that they were given.
    """
    refined = reconstructor.keyframe_poses()
    poses = {frame.stamp_ns: frame.world_from_camera for frame in given}
    stamps = np.array(sorted(stamp for stamp, _ in refined))
    found = []
    for frame in frames:
        stamp = int(stamps[np.abs(stamps - frame.stamp_ns).argmin()])
        motion = refined[stamp, frame.camera_id] @ rigid_inverse(poses[stamp])
        found.append(replace(frame, world_from_camera=motion @ frame.world_from_camera))
    return found
