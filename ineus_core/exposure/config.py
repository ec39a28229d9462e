# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of what is done about exposure and white balance."""

from pydantic import Field

from ineus_core.config_model import ConfigModel


class ExposureConfig(ConfigModel):
    """When colours of keyframes are brought to the exposure of the map."""

    enabled: bool = Field(
        True,
        description="Whether colours of keyframes with depth get a gain for each channel, so that "
        "they fit to those of earlier keyframes of the same surfaces.",
    )
    threshold: float = Field(
        0.02,
        gt=0,
        description="Change of a channel, as a share, up to which exposure counts as constant. "
        "Pictures stay as they are until it is exceeded once.",
    )
