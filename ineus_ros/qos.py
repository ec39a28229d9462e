# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service: what our publishers promise and our subscriptions ask for."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ineus_core.ros_config import RosConfig


def latched(depth: int) -> QoSProfile:
    """Return a reliable profile that keeps messages for late subscribers, as a map server does."""
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def of_sensors(config: RosConfig, depth: int) -> QoSProfile:
    """Return the profile of images and poses: best effort unless `reliable` asks for more."""
    # A subscription that asks for reliable delivery gets nothing from a best-effort publisher,
    # which most camera drivers are.
    is_reliable = config.reliable
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT,
    )
