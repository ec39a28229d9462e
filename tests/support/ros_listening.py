# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The inputs of the node, alone and spun by hand, for tests."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from ineus_core.ros_config import RosConfig
from ineus_core.sources import Adjustment, SyntheticConfig, SyntheticSource
from ineus_core.types import Frame
from ineus_ros.inputs import Inputs

SETTINGS = {"reliable": True, "tf_timeout_s": 0.4, "depth_wait_s": 0.2}
SOURCE = SyntheticSource(SyntheticConfig(frames=12, width_px=32, height_px=24))
FRAMES = list(SOURCE)


PASSING_S = 0.02
"""By which a clock goes on in a turn of the executor, where a test is about time."""
HUNG_S = 120.0
"""Longer than anything takes on a busy machine."""


class Listening:
    """Inputs on a node, spun by hand, whose own clock stands still unless a test lets it go on."""

    def __init__(self, node: Node, adjustment: Adjustment | None = None, **settings: Any) -> None:
        self.frames: list[Frame] = []
        self.resets = 0
        self.now_s = 0.0
        config = RosConfig(**{**SETTINGS, **settings})
        self.inputs = Inputs(
            node, config, self.frames.append, self._on_reset, lambda: self.now_s, adjustment
        )
        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)

    def _on_reset(self) -> None:
        self.resets += 1

    @property
    def uses_mask(self) -> bool:
        return self.inputs._cameras[0].pairing.uses_mask

    @property
    def publishers(self) -> int:
        """Publishers of colour that are known by now."""
        names = ("color/image", "color/image/compressed")
        return sum(self._node.count_publishers(self._node.resolve_topic_name(n)) for n in names)

    @property
    def drops(self) -> dict[str, int]:
        return dict(self.inputs.drops.counts)

    def spin_until(self, condition: Callable[[], bool], passing_s: float = 0.0) -> None:
        """Spin until a condition holds.

        Args:
            passing_s: What the clock of the inputs goes on by with each turn.
        """
        end = time.monotonic() + HUNG_S
        while not condition():
            assert time.monotonic() < end, (len(self.frames), self.inputs.counters, self.drops)
            self.now_s += passing_s
            self._executor.spin_once(timeout_sec=0.02)

    def spin(self, times: int, passing_s: float = 0.0) -> None:
        """Take what is there, in so many turns."""
        for _ in range(times):
            self.now_s += passing_s
            self._executor.spin_once(timeout_sec=0.02)
