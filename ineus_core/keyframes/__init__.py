# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes: which frames are kept, where they lie, and which of their rays are drawn."""

from ineus_core.keyframes.buffer import KeyframeBuffer, KeyframeConfig
from ineus_core.keyframes.replay import Replay, ReplayConfig
from ineus_core.keyframes.selector import KeyframeSelector, SelectorConfig

__all__ = [
    "KeyframeBuffer",
    "KeyframeConfig",
    "KeyframeSelector",
    "Replay",
    "ReplayConfig",
    "SelectorConfig",
]
