# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Budget and rates of the loop."""

from typing import ClassVar

from pydantic import Field

from ineus_core.config_model import ConfigModel


class PipelineConfig(ConfigModel):
    """Budget and rates of the loop."""

    renamed: ClassVar = {"settle_steps": "refine_steps"}
    # A number of frames tells no memory before their size is known.
    retired: ClassVar = {"queue_frames": "pipeline.queue_mb bounds the keyframes that wait"}

    steps_per_tick: int = Field(0, ge=0, description="Optimiser steps of a tick; 0 = by device.")
    queue_mb: float = Field(
        1024,
        gt=0,
        description="Memory of keyframes that wait until they are taken, in MB; frames that come "
        "while it is full are dropped.",
    )
    mesh_rate_hz: float = Field(
        0.0,
        ge=0,
        description="Mesh updates a second of stream time; 0 = 5 online with a GPU, else 1.",
    )
    mesh_share: float = Field(
        0.3, gt=0, le=1, description="Share of the wall time that meshing may take online."
    )
    stereo_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the wall time that depth from motion may take online; keyframes "
        "that come too soon for it are left out.",
    )
    check_input: bool = Field(
        True, description="Whether some frames are checked against each other, once."
    )
    choose_settings: bool = Field(
        True,
        description="Whether settings that nobody has given follow what pictures without depth "
        "show, such as an object whose outline is known, in an offline run.",
    )
    report_rate_hz: float = Field(
        1.0, ge=0, description="Reports a second, of stream time in an offline run; 0 = none."
    )
    refine_steps: int = Field(
        -1,
        ge=-1,
        description="Steps after the last frame of an offline run, rates falling; -1 = by device; "
        "without a sensor, where all are taken there, three times as many with estimated depth, "
        "ten times with none.",
    )
