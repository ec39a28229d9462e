# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene in the layout of NeRF-Synthetic: `transforms_train.json` and RGBA pictures."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.sources.photographs.photo_set import FRAME_PERIOD_S, PhotoSet, PhotoSetConfig
from ineus_core.sources.photographs.transforms_json import Listing


class BlenderConfig(PhotoSetConfig):
    """How a scene in the layout of NeRF-Synthetic is read."""

    split: Literal["train", "val", "test"] = Field(
        default="train", description="Which of the files transforms_SPLIT.json is read"
    )
    masks: Literal["off", "composite", "exclude"] = Field(
        default="composite",
        description="Transparent pixels take the colour of the background, or are not used",
    )


class BlenderSource(PhotoSet):
    """Pictures of a split of a scene in the layout of NeRF-Synthetic.

    Args:
        depth_range_m: Not used; the layout has no depth that could be relied on.
        max_frames: Frames after this many are left out; 0: none is.
        frame_period_s: Time between frames.
    """

    kind = "blender"

    def __init__(
        self,
        path: str | Path,
        config: BlenderConfig | None = None,
        depth_range_m: tuple[float, float] = (0.0, np.inf),
        max_frames: int = 0,
        frame_period_s: float = FRAME_PERIOD_S,
    ) -> None:
        config = config or BlenderConfig()
        file = Path(path) / f"transforms_{config.split}.json"
        if not file.is_file():
            raise SourceError(f"{file}: no such file; expected the poses of {config.split}")
        photos = Listing(file).photos()
        super().__init__(photos, config, depth_range_m, max_frames, frame_period_s)


def is_scene(path: Path) -> bool:
    """Whether a folder has the poses of at least one split."""
    return any((path / f"transforms_{split}.json").is_file() for split in ("train", "val", "test"))
