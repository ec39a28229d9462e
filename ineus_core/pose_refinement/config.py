# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of the refinement of poses."""

from pydantic import Field

from ineus_core.config_model import ConfigModel


class PoseRefinementConfig(ConfigModel):
    """What may be done to the poses that a robot gives."""

    enabled: bool = Field(
        True,
        description="Whether the poses of keyframes with depth are corrected, so that the "
        "surfaces that they show lie on each other; exact poses stay as they are.",
    )
    pictures: bool = Field(
        True,
        description="Whether the poses of keyframes without depth are corrected by points that "
        "their pictures share, before depth from motion; some 0.05 s a keyframe on a core. Where "
        "given poses are right, they stay, and two keyframes of three are not looked at.",
    )
    max_jump_m: float = Field(
        0.05,
        gt=0,
        description="The farthest that a keyframe is moved at once, in m, a new one from where "
        "the drift so far puts it; one whose surfaces lie farther off stays where its pose is.",
    )
    max_jump_deg: float = Field(
        3.0, gt=0, description="The most that a keyframe is turned at once, in degrees."
    )
