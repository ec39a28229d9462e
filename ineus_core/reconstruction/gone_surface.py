# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks in which something is gone: meshed anew with each keyframe until the field has followed.

Blocks are else meshed where there are new returns, and where a thing was there are none any more.
"""

import numpy as np
from jaxtyping import Float

from ineus_core.meshing import DirtyBlocks
from ineus_core.types import BlockIndex

_KEYFRAMES = 16
"""After so many the field has learnt of free space, or will be meshed for other reasons."""


class GoneSurface:
    """Reminds of blocks.

    Args:
        dirty: Where they are marked.
    """

    def __init__(self, dirty: DirtyBlocks) -> None:
        """Know of none."""
        self._dirty = dirty
        self._left: dict[BlockIndex, int] = {}

    def add(self, points: Float[np.ndarray, "n 3"]) -> None:
        """Take points at which there is no surface any more."""
        self._left.update(dict.fromkeys(self._dirty.touched(points), _KEYFRAMES))

    def on_keyframe(self) -> None:
        """Mark the blocks, as rays of a new keyframe may have cleared them."""
        self._dirty.add(self._left)
        self._left = {block: left - 1 for block, left in self._left.items() if left > 1}
