# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds for the tests of planners, and messages as they arrive."""

from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2

from ineus_ros.outputs.clouds import cloud_message
from ineus_ros.outputs.headers import header_of


def cloud_of(
    points: np.ndarray, stamp_ns: int = 7, frame_id: str = "odom", kind: str = "<f4"
) -> PointCloud2:
    records = np.zeros(len(points), [(name, kind) for name in "xyz"])
    for axis, name in enumerate("xyz"):
        records[name] = points[:, axis]
    return cloud_message(header_of(stamp_ns, frame_id), records)


def over_the_wire(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))
