# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Random rays drawn from stored keyframes.

Only Triton has a kernel (`gpu.py`), which a captured step takes; its reference is
`keyframes.Replay.draw`.
"""

from ineus_core.kernels.ray_batch.ray_buffers import (
    HAS_DEPTH,
    IS_BACKGROUND,
    IS_FOREGROUND,
    IS_VALID,
    DrawnRays,
    drawn_rays,
)
from ineus_core.kernels.ray_batch.ray_store import (
    DIRECTION,
    KNOWN_FOREGROUND,
    NORMAL,
    ORIGIN,
    RANGE,
    RESERVOIR_COLUMNS,
    RGB,
    UNKNOWN_FOREGROUND,
    UNUSABLE,
    USE,
    WHOLE,
    RayStore,
)

__all__ = [
    "DIRECTION",
    "HAS_DEPTH",
    "IS_BACKGROUND",
    "IS_FOREGROUND",
    "IS_VALID",
    "KNOWN_FOREGROUND",
    "NORMAL",
    "ORIGIN",
    "RANGE",
    "RESERVOIR_COLUMNS",
    "RGB",
    "UNKNOWN_FOREGROUND",
    "UNUSABLE",
    "USE",
    "WHOLE",
    "DrawnRays",
    "RayStore",
    "drawn_rays",
]
