# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of depth from motion."""

from pydantic import Field

from ineus_core.config_model import ConfigModel

PHOTOGRAPH_PX = 640
"""Width of photographs as they are matched; they are few, and stand farther apart than frames."""
PHOTOGRAPHS = 64
"""So many pictures are a set of photographs, whose unit of length may be any; more are a video."""


class StereoConfig(ConfigModel):
    """How depth is measured between keyframes; no value depends on the unit of length."""

    enabled: bool = Field(
        True,
        description="Whether keyframes without depth get the depth that they show of each other, "
        "and the scene is taken in by it as by a sensor's; not of an object from all around.",
    )
    min_confidence: float = Field(
        0.75, ge=0, le=1, description="Chance of being right within 2 % that depth is used from."
    )
    fill_holes: str = Field(
        "auto",
        pattern="^(auto|always|never)$",
        description="Whether keyframes of a depth sensor get such depth, too, where it returns "
        "nothing; auto: but for a live stream on a GPU.",
    )
    max_width_px: int = Field(
        0,
        ge=0,
        description="Wider images are matched reduced by a whole factor to at most this width; "
        "0: 640 on a GPU and for up to 64 photographs, else 320 on a CPU.",
    )
    sources: int = Field(4, ge=1, le=16, description="Keyframes that each one is matched with.")
    planes: int = Field(
        64, ge=8, le=512, description="Inverse depths that are tried on the coarsest level."
    )
    noise_grey: float = Field(
        1.0,
        gt=0,
        description="Difference of pixels, in grey levels of 255, that is more than noise.",
    )
    tolerance_px: float = Field(
        0.3, gt=0, description="Error of a match, in pixels, within which two keyframes agree."
    )
    min_agreeing: int = Field(
        1, ge=1, description="Other keyframes that have to find the same surface."
    )
    fill: bool = Field(
        True,
        description="Whether plain regions of a picture, which cannot be matched, get the plane "
        "that nearly all sure depth within them lies on, where they lie between that, or the one "
        "that their edges in all keyframes so far tell, and no other depth.",
    )
    provisional: bool = Field(
        True,
        description="Whether depth is also measured at once, from earlier keyframes alone; of a "
        "scene on a CPU never.",
    )
    views: int = Field(24, ge=4, description="Keyframes that are held to be matched with.")

    def of_photographs(self) -> "StereoConfig":
        """Return these settings for a set of photographs: larger, and all matched with all."""
        return self.model_copy(
            update={
                "max_width_px": self.max_width_px or PHOTOGRAPH_PX,
                "views": max(self.views, PHOTOGRAPHS),
                "provisional": False,
            }
        )
