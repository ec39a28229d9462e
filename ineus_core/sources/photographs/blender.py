# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A scene in the layout of NeRF-Synthetic: `transforms_train.json` and RGBA pictures."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from ineus_core.errors import SourceError
from ineus_core.sources.photographs.photo_set import PhotoSet, PhotoSetConfig
from ineus_core.sources.photographs.transforms_json import Listing
from ineus_core.sources.read_options import ReadOptions


class BlenderConfig(PhotoSetConfig):
    """How a scene in the layout of NeRF-Synthetic is read."""

    split: Literal["train", "val", "test"] = Field(
        default="train", description="Which of the files transforms_SPLIT.json is read"
    )
    masks: Literal["auto", "off", "composite", "exclude"] = Field(
        default="composite",
        description="Transparent pixels take the colour of the background, or are not used",
    )


class BlenderSource(PhotoSet):
    """Pictures of a split of a scene in the layout of NeRF-Synthetic."""

    kind = "blender"

    def __init__(
        self,
        path: str | Path,
        config: BlenderConfig | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        options = options or ReadOptions()
        config = config or BlenderConfig()
        file = Path(path) / f"transforms_{config.split}.json"
        if not file.is_file():
            raise SourceError(f"{file}: no such file; expected the poses of {config.split}")
        listing = Listing(file, options.max_picture_mpx)
        photos = listing.photos()
        super().__init__(photos, config, options, absent=listing.count - len(photos))


def is_scene(path: Path) -> bool:
    """Decide whether a folder has the poses of at least one split."""
    return any((path / f"transforms_{split}.json").is_file() for split in ("train", "val", "test"))
