# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What sources of all kinds are told beside the settings of their own kind."""

from dataclasses import dataclass

from ineus_core.sources.picture_files import MOST_MPX


@dataclass(frozen=True)
class ReadOptions:
    """How many frames are read, and how large a picture may be."""

    max_frames: int = 0
    """Frames after this many are left out; 0: none is."""
    frame_period_s: float = 0.1
    """Time between pictures that have no stamps."""
    max_picture_mpx: float = MOST_MPX
    """Millions of pixels that a picture may have before it is decoded."""
