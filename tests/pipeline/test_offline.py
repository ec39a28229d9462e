# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""A source through the pipeline: what is held out, counted, limited and measured."""

import time
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from tiny_scene import CPU, pose, tiny_config, wall_frame

from ineus_core.pipeline import PipelineConfig
from ineus_core.pipeline.held_out import reduced_frame
from ineus_core.pipeline.offline import OfflineRun, RunLimits, RunResult, save_renders
from ineus_core.reconstruction import Reconstructor
from ineus_core.types import Camera, Frame, Mesh, RenderedImage


class Walls:
    """A source of walls, of which one frame was unusable."""

    kind = "walls"

    def __init__(self, count: int, depth_m: float | None = 2.0) -> None:
        self.dropped: Counter[str] = Counter(no_pose=1)
        self._frames = [wall_frame(i, depth_m, pose(0.2 * i)) for i in range(count)]

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def reference_mesh(self) -> Mesh | None:
        return None


def run(source: Walls, settings: dict | None = None, **limits: float) -> RunResult:
    reconstructor = Reconstructor(tiny_config(training={"rays_per_step": 64}), CPU)
    config = PipelineConfig(**{"steps_per_tick": 2, "refine_steps": 4, **(settings or {})})
    return OfflineRun(source, reconstructor, config, RunLimits(**limits)).run()  # type: ignore[arg-type]


def test_every_nth_frame_is_held_out_and_measured() -> None:
    result = run(Walls(9), hold_out=4)
    report = result.report
    # Frames 3 and 7 are held out; one never came.
    assert (report["frames_in"], report["frames_used"], report["frames_dropped"]) == (8, 7, 1)
    assert report["frames_held_out"] == report["held_out"]["frames"] == 2
    assert report["held_out"]["psnr"] > 5
    assert report["held_out"]["depth_l1_m"] < 2
    assert [name for name, _ in result.renders] == [f"{i * 100_000_000:019d}" for i in (3, 7)]
    assert report["dropped"] == {"no_pose": 1}


def test_without_held_out_frames_there_are_pictures_but_no_figures() -> None:
    result = run(Walls(5))
    assert result.report["held_out"]["frames"] == 0
    assert result.report["held_out"]["psnr"] is None
    assert len(result.renders) >= 2
    assert len(result.panels) >= 2


def test_stream_time_counts_from_the_first_stamp_though_it_is_0() -> None:
    assert run(Walls(5)).report["stream_s"] == pytest.approx(0.4)


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_a_number_of_steps_is_kept_exactly(steps: int) -> None:
    assert run(Walls(4), steps=steps).report["steps"] == steps


@pytest.fixture
def clock_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the clock by one that goes on by a hundredth of a second when it is looked at."""
    now_s = [50.0]

    def look() -> float:
        now_s[0] += 0.01
        return now_s[0]

    monkeypatch.setattr(time, "perf_counter", look)
    return now_s


def test_seconds_end_the_refinement(clock_s: list[float]) -> None:
    report = run(Walls(3), seconds=2.0).report
    assert 2.0 < report["wall_s"] < 2.1
    assert report["steps"] > 2 * 3 + 100


def test_frames_that_come_too_fast_are_dropped_and_counted() -> None:
    report = run(Walls(12), {"queue_frames": 3}, real_time=1e6).report
    assert report["frames_in"] == 13
    assert report["frames_used"] + report["frames_dropped"] == 13
    assert report["frames_used"] <= 4


def test_in_real_time_training_fills_the_gaps(clock_s: list[float]) -> None:
    report = run(Walls(5), {"queue_frames": 5}, real_time=1.0).report
    assert (report["frames_used"], report["frames_dropped"]) == (5, 1)
    assert report["stream_wall_s"] >= 0.4
    assert report["steps"] > 5 * 2 + 4


def test_frames_of_another_size_are_used_like_the_others() -> None:
    source = Walls(4)
    small = Camera(20, 15, 15.0, 15.0, 10.0, 7.5)
    source._frames.append(wall_frame(9, 2.0, pose(3.0), small))
    report = run(source).report
    assert (report["frames_in"], report["frames_used"], report["frames_dropped"]) == (6, 5, 1)


def test_a_source_without_frames_gives_an_empty_report() -> None:
    report = run(Walls(0)).report
    assert (report["frames_used"], report["keyframes"], report["steps"]) == (0, 0, 0)
    assert report["mesh"]["vertices"] == 0


def test_colour_alone_without_depth_figures() -> None:
    report = run(Walls(6, None), hold_out=3).report
    assert report["frames_used"] == 4
    assert report["held_out"]["depth_l1_m"] is None
    assert report["steps"] > 0


def test_training_without_depth_waits_for_all_views() -> None:
    source = Walls(6, None)
    source.world_from_camera = [frame.world_from_camera for frame in source]  # type: ignore[attr-defined]
    phases: list[tuple[str, int]] = []
    reconstructor = Reconstructor(tiny_config(training={"rays_per_step": 64}), CPU)
    config = PipelineConfig(steps_per_tick=2, report_rate_hz=100.0)

    def note(phase: str, *_: object) -> None:
        phases.append((phase, reconstructor.steps))

    result = OfflineRun(source, reconstructor, config, RunLimits(steps=12, hold_out=3), note).run()
    assert result.report["steps"] == 12
    assert [steps for phase, steps in phases if phase == "reading"] == [0] * 4
    assert ("refining", 12) in phases


def test_seconds_of_training_without_depth_begin_when_all_is_read(clock_s: list[float]) -> None:
    class Slow(Walls):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                clock_s[0] += 10.0
                yield frame

    assert run(Slow(6, None), seconds=0.3).report["steps"] > 10


def test_a_reduced_frame_picks_depth_and_keeps_the_view() -> None:
    camera = Camera(81, 60, 60.0, 60.0, 40.5, 30.0)
    depth_m = np.full((60, 81), 2.0, dtype=np.float32)
    depth_m[:, 40:] = 6.0
    frame = Frame(5, camera, pose(), np.zeros((60, 81, 3), dtype=np.uint8), depth_m)
    small = reduced_frame(frame, 40)
    assert (small.camera.width_px, small.camera.height_px, small.stamp_ns) == (27, 20, 5)
    assert set(np.unique(small.depth_m)) == {2.0, 6.0}
    assert small.camera.fx / small.camera.width_px == pytest.approx(60 / 81)
    assert reduced_frame(frame, 81) is frame


def test_renders_are_written_as_pictures_that_can_be_measured(tmp_path) -> None:
    depth_m = np.array([[0.0, 1.2345], [70.0, 2.0]], dtype=np.float32)
    normal = np.zeros((2, 2, 3), dtype=np.float32)
    normal[0, 1] = (0, 0, -1)
    rgb = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    image = RenderedImage(rgb, depth_m, normal, np.ones((2, 2), dtype=np.float32))
    save_renders(tmp_path / "renders", [("a", image)])
    names = sorted(path.name for path in (tmp_path / "renders").iterdir())
    assert names == ["a_depth_mm.png", "a_normal.png", "a_rgb.png"]
    read = cv2.imread(str(tmp_path / "renders" / "a_depth_mm.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16
    assert read.tolist() == [[0, 1234], [65535, 2000]]
    colours = cv2.imread(str(tmp_path / "renders" / "a_rgb.png"))[..., ::-1]
    np.testing.assert_array_equal(colours, rgb)
    normals = cv2.imread(str(tmp_path / "renders" / "a_normal.png"))[..., ::-1]
    assert normals[0, 1].tolist() == [128, 128, 0]
