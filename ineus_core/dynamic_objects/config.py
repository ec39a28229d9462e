# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of what is done about things that move."""

from pydantic import Field

from ineus_core.config_model import ConfigModel


class DynamicObjectsConfig(ConfigModel):
    """When depth counts as that of something that moves."""

    enabled: bool = Field(
        True,
        description="Whether pixels of keyframes with depth are left out where later keyframes "
        "look through what they show, and for a while where earlier ones did.",
    )
    settle_s: float = Field(
        1.0,
        ge=0,
        description="How long a thing must stay where free space was seen until it is taken in.",
    )
    tolerance_m: float = Field(
        0.05,
        gt=0,
        description="By how much depth may differ close to the camera and still be of the same "
        "surface, in m; 0.005 m are added for each square metre of depth.",
    )
