# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Keyframes whose exposure changes: what is stored, told, and kept in a checkpoint."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.keyframes import KeyframePolicy
from ineus_core.pipeline import compare_view, figures_text, mean_figures
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Frame


class KeepsAll:
    def is_keyframe(self, frame: Frame) -> bool:
        return True


def policy() -> KeyframePolicy:
    return KeepsAll()


def frame(index: int, gain: float = 1.0) -> Frame:
    given = wall_frame(index, np.full((30, 40), 3.0, np.float32), pose(0.0))  # type: ignore[arg-type]
    columns = np.repeat((60.0 + np.arange(40))[None, :, None], 30, axis=0)
    rgb = np.rint(gain * np.repeat(columns, 3, axis=2)).astype(np.uint8)
    return replace(given, rgb=rgb)


def streamed(gains: list[float], enabled: bool = True) -> Reconstructor:
    config = tiny_config(exposure={"enabled": enabled}, pose_refinement={"enabled": False})
    made = Reconstructor(config, CPU, make_policy=policy)
    for index, gain in enumerate(gains):
        made.add_frame(frame(index, gain))
    return made


def stored(made: Reconstructor, index: int) -> np.ndarray:
    buffer = made.reconstruction.buffer
    return buffer.rgb[buffer.slots[index]].view(30, 40, 3).numpy()


def test_colours_are_stored_in_the_exposure_of_the_map() -> None:
    made = streamed([1.0, 1.4, 0.7])
    assert made.exposure_varies and made.counters["keyframes_exposure_corrected"] == 2
    for index in range(3):
        assert np.abs(stored(made, index).astype(int) - frame(0).rgb).max() <= 2


def test_constant_exposure_changes_no_bit_and_without_correction_nothing_is_changed() -> None:
    made = streamed([1.0, 1.01, 1.0])
    assert not made.exposure_varies
    assert (stored(made, 1) == frame(1, 1.01).rgb).all()
    made = streamed([1.0, 1.4], enabled=False)
    assert not made.exposure_varies and (stored(made, 1) == frame(1, 1.4).rgb).all()


def test_views_are_judged_after_a_fit_where_exposure_varies() -> None:
    made = streamed([1.0, 1.4])
    for _ in range(5):
        made.step()
    view = compare_view(made, frame(9, 0.5), 40)
    assert view.exposure_fitted
    means = mean_figures([view])
    assert means["exposure_fitted"] == 1 and "fit of exposure" in figures_text(means)
    constant = streamed([1.0, 1.0])
    constant.step()
    means = mean_figures([compare_view(constant, frame(9), 40)])
    assert "exposure_fitted" not in means and "fit" not in figures_text(means)


def test_a_checkpoint_tells_whether_exposure_varied(tmp_path: Path) -> None:
    for gain in (1.0, 1.4):
        made = streamed([1.0, gain])
        made.save(tmp_path / str(gain))
        restored = Reconstructor(made.config, CPU)
        restored.load(tmp_path / str(gain))
        assert restored.exposure_varies == (gain != 1.0)


def test_a_map_goes_on_in_the_exposure_that_it_was_begun_with() -> None:
    made = streamed([1.0, 1.4, 1.4, 1.4])
    assert stored(made, 3).mean() == pytest.approx(frame(0).rgb.mean(), rel=0.02)
