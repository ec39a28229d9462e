# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the node publishes, one file per family of messages."""

from ineus_ros.outputs.images import ImagePublisher, ViewRequests
from ineus_ros.outputs.keyframes import KeyframePublisher
from ineus_ros.outputs.mesh import MeshPublisher
from ineus_ros.outputs.nvblox import offer_nvblox
from ineus_ros.outputs.origin_frame import OriginFrame
from ineus_ros.outputs.planning import PlanningPublisher
from ineus_ros.outputs.status import PartStatus, Rate, StatusPublisher

__all__ = [
    "ImagePublisher",
    "KeyframePublisher",
    "MeshPublisher",
    "OriginFrame",
    "PartStatus",
    "PlanningPublisher",
    "Rate",
    "StatusPublisher",
    "ViewRequests",
    "offer_nvblox",
]
