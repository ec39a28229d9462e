# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What the node publishes, one file per family of messages."""

from ineus_ros.outputs.images import ImagePublisher
from ineus_ros.outputs.mesh import MeshPublisher
from ineus_ros.outputs.status import StatusPublisher

__all__ = ["ImagePublisher", "MeshPublisher", "StatusPublisher"]
