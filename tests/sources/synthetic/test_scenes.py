# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The one list of built-in scenes: settings, help and the page of sources go by it."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import CommandResult

from ineus_core.sources import SCENES, SyntheticConfig, SyntheticSource


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_can_be_chosen_and_seen(name: str) -> None:
    config = SyntheticConfig(scene=name, frames=2, width_px=16, height_px=12)
    frame = SyntheticSource(config).frame(0)
    assert frame.depth_m is not None
    assert (frame.depth_m > 0).any()
    assert (frame.foreground is None) == SCENES[name].is_enclosed
    assert np.ptp(frame.rgb) > 0


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=f"expected one of {', '.join(SCENES)}"):
        SyntheticConfig(scene="house")


def test_the_printed_configuration_names_them(ineus: Callable[..., CommandResult]) -> None:
    lines = " ".join(line.strip(" #") for line in ineus("config").stdout.splitlines())
    assert f"One of: {', '.join(SCENES)}." in lines


def test_the_help_names_them(ineus: Callable[..., CommandResult]) -> None:
    assert re.findall(r"synthetic:(\w+)", ineus("run", "--help").stdout) == list(SCENES)


def test_the_page_of_sources_names_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| `synthetic`"))
    assert re.findall(r"`synthetic:(\w+)`", row) == list(SCENES)
