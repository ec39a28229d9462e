# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The way from the page of `ineus run --view` back to its run."""

from pathlib import Path
from typing import Any

import pytest
from tiny_scene import CPU, room_source, tiny_config

from ineus_core.cli import live_page
from ineus_core.cli.live_page import RunPage
from ineus_core.cli.run import _run_or_again
from ineus_core.pipeline import OfflineRun, PipelineConfig, RunLimits
from ineus_core.pipeline.beside import Nobody
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import StepReport
from ineus_core.viewer import RunLink, ViewerConfig


class Shown(Nobody):
    """A page that no browser opens."""

    url = "nowhere"

    def __init__(self, _: ViewerConfig, link: RunLink, *rest: str) -> None:
        self.link, self.clears = link, 0

    def clear(self) -> None:
        self.clears += 1


@pytest.mark.parametrize("pressed_in", ["refining", "measuring"])
def test_after_a_reset_the_run_begins_again_and_the_former_one_owes_no_answer(
    pressed_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "LivePage", Shown)
    page = RunPage(ViewerConfig(), tmp_path, "", "cpu")
    shown: Any = page._page
    reconstructor = Reconstructor(tiny_config(), CPU)
    asked: list[Any] = []

    def on_progress(phase: str, share: float, report: StepReport | None) -> None:
        if phase == pressed_in and not asked:
            shown.link.reset()
            asked.append(shown.link.call(lambda r: r.steps, "steps"))
        if phase == "refining":
            page.check()

    def new_run() -> OfflineRun:
        source, limits = room_source(frames=2), RunLimits(steps=40)
        run = OfflineRun(source, reconstructor, PipelineConfig(), limits, on_progress)
        page.follow(run)
        return run

    _, result = _run_or_again(new_run, reconstructor.reset, page.check)
    assert result.report["steps"] == 40 and shown.clears == 2
    with pytest.raises(RuntimeError, match="the run has ended"):
        asked[0].result(0)
