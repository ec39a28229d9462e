# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes: which frames are kept, where they lie, and which of their rays are drawn."""

from ineus_core.keyframes.buffer import KeyframeBuffer, KeyframeConfig
from ineus_core.keyframes.depth import (
    DepthConfig,
    believed_depth,
    has_returns,
    world_points,
    world_rays,
)
from ineus_core.keyframes.replay import Replay, ReplayConfig
from ineus_core.keyframes.selector import KeyframePolicy, KeyframeSelector, SelectorConfig

__all__ = [
    "DepthConfig",
    "KeyframeBuffer",
    "KeyframeConfig",
    "KeyframePolicy",
    "KeyframeSelector",
    "Replay",
    "ReplayConfig",
    "SelectorConfig",
    "believed_depth",
    "has_returns",
    "world_points",
    "world_rays",
]
