# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Where the keyframes were, as a file in the format of the TUM benchmark."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ineus_core.files import replace_file
from ineus_core.geometry import rotation_to_quaternion
from ineus_core.types import KeyframeId


def save_trajectory(poses: Mapping[KeyframeId, Float[np.ndarray, "4 4"]], path: Path) -> Path:
    """Write `stamp x y z qx qy qz qw` a line, of the keyframes of the first camera by stamp."""
    lines = ["# stamp_s x_m y_m z_m qx qy qz qw, world_from_camera"]
    for (stamp_ns, camera_id), pose in sorted(poses.items(), key=lambda item: item[0]):
        if camera_id == 0:
            seconds, rest_ns = divmod(stamp_ns, 1_000_000_000)
            numbers = (*pose[:3, 3], *rotation_to_quaternion(pose[:3, :3]))
            # By whole numbers, as a float of a stamp of these years holds no nanoseconds.
            lines.append(f"{seconds}.{rest_ns:09d} " + " ".join(f"{x:.7f}" for x in numbers))
    replace_file(path, ("\n".join(lines) + "\n").encode())
    return path
