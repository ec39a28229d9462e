# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that pass are checked once, beside the work, and the outcome is told."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from planted_faults import FAULTS, Fault, PlantedSource
from tiny_scene import tiny_config

from ineus_core.errors import SourceError
from ineus_core.pipeline import OfflineRun, PipelineConfig, RunLimits
from ineus_core.pipeline.input_check import BackgroundCheck
from ineus_core.reconstruction import Reconstructor
from ineus_core.sources import SyntheticConfig, SyntheticSource
from ineus_core.types import Frame

FRAMES = 24
INVERTED = FAULTS[0]


def frames(fault: Fault | None) -> Iterator[Frame]:
    config = SyntheticConfig(frames=100, width_px=160, height_px=120)
    source = PlantedSource(SyntheticSource(config), fault)
    return (source.frame(index) for index in range(FRAMES))


def checked(fault: Fault | None) -> BackgroundCheck:
    check = BackgroundCheck()
    check.expect(FRAMES)
    for frame in frames(fault):
        check.add(frame)
    check.finish()
    return check


def test_it_warns_once_and_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = checked(INVERTED).verdict
    assert verdict is not None
    assert verdict.settings == INVERTED.expected
    assert [verdict.message in record.getMessage() for record in caplog.records] == [True]


def test_it_is_silent_where_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = checked(None).verdict
    assert verdict is not None
    assert verdict.result == "agrees"
    assert not caplog.records


@pytest.mark.parametrize("share", ["all", "one in three"])
def test_depth_images_without_returns_are_no_contradiction(
    share: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = BackgroundCheck()
    check.expect(FRAMES)
    for index, frame in enumerate(frames(None)):
        assert frame.depth_m is not None
        is_empty = share == "all" or index % 3 == 0
        check.add(replace(frame, depth_m=0 * frame.depth_m) if is_empty else frame)
    verdict = check.finish()
    assert verdict is not None and verdict.result != "contradicts" and not caplog.records
    assert ("hold no returns at all" in verdict.message) == (share == "all")
    assert ("agreement" in verdict.figures) == (share != "all")


def test_a_check_begins_anew() -> None:
    check = checked(INVERTED)
    check.restart()
    assert check.verdict is None
    for frame in frames(None):
        check.add(frame)
    verdict = check.finish()
    assert verdict is not None
    assert verdict.result != "contradicts"


def run(strict: bool) -> dict[str, object]:
    torch.manual_seed(0)
    config = SyntheticConfig(frames=100, width_px=160, height_px=120)
    source = PlantedSource(SyntheticSource(config), INVERTED, frames=16)
    reconstructor = Reconstructor(tiny_config(), torch.device("cpu"))
    settings = PipelineConfig(steps_per_tick=0, refine_steps=0, mesh_rate_hz=1e-3)
    limits = RunLimits(steps=1, strict=strict)
    return OfflineRun(source, reconstructor, settings, limits).run().report


def test_a_run_reports_it() -> None:
    agreement = run(strict=False)["input_agreement"]
    assert isinstance(agreement, dict)
    assert agreement["result"] == "contradicts"
    assert agreement["settings"] == INVERTED.expected


def test_a_strict_run_ends() -> None:
    with pytest.raises(SourceError, match=r"source\.poses\.inverted=true.*--strict"):
        run(strict=True)
