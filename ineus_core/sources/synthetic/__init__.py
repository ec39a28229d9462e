# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The built-in scenes, rendered when asked for, with exact poses and ground truth."""

from ineus_core.sources.synthetic.scenes import SCENES, BuiltInScene
from ineus_core.sources.synthetic.source import (
    SyntheticConfig,
    SyntheticSource,
    is_built_in,
    open_built_in,
)

__all__ = [
    "SCENES",
    "BuiltInScene",
    "SyntheticConfig",
    "SyntheticSource",
    "is_built_in",
    "open_built_in",
]
