# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences in the layout of the TUM benchmark: association, interpolation, refusal."""

from pathlib import Path

import numpy as np
import pytest
from folder_making import colour, make_tum, pose, replace_line

from ineus_core.errors import SourceError
from ineus_core.sources.sequences.tum import TumConfig, TumSource

START_NS = 1305031102 * 10**9


def test_frames_as_written_with_poses_half_way(tmp_path: Path) -> None:
    source = TumSource(make_tum(tmp_path / "data"))
    frames = list(source)
    assert len(source) == 3
    assert [frame.stamp_ns - START_NS for frame in frames] == [0, 100_000_000, 200_000_000]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, colour(i))
        np.testing.assert_allclose(frame.world_from_camera, pose(i) + 0.5 * SHIFT_X, atol=1e-6)
        assert frame.depth_m is not None
        np.testing.assert_allclose(frame.depth_m[0, :4], (1.0, 2.5, 0.02, 0))


SHIFT_X = np.array([[0.0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_frames_without_a_pose_are_counted(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data", frames=4)
    lines = (folder / "groundtruth.txt").read_text().splitlines()
    # Without the pose at 0.05 s the gap is too long, without that at 0.35 s the last has none.
    (folder / "groundtruth.txt").write_text("\n".join(lines[:2] + lines[3:-1]))
    source = TumSource(folder)
    assert [frame.stamp_ns - START_NS for frame in source] == [200_000_000]
    assert source.dropped == {"no_pose": 3}
    wider = TumSource(folder, TumConfig(pose_tolerance_s=0.25))
    assert wider.dropped == {"no_pose": 1}


def test_frames_without_depth_are_counted(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data")
    lines = (folder / "depth.txt").read_text().splitlines()
    (folder / "depth.txt").write_text("\n".join(lines[:2] + lines[3:]))
    source = TumSource(folder)
    assert len(list(source)) == 2
    assert source.dropped == {"no_depth": 1}
    with pytest.raises(SourceError, match=r"no picture of rgb.txt can be used \(3 no_depth\)"):
        TumSource(folder, TumConfig(sync_tolerance_s=0.003))


def test_one_depth_goes_to_the_nearest_colour_only(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data", frames=2)
    replace_line(folder / "rgb.txt", 3, "1305031102.009 rgb/1305031102.100000.png")
    source = TumSource(folder)
    assert [frame.stamp_ns - START_NS for frame in source] == [0]
    assert source.dropped == {"no_depth": 1}


def test_without_depth(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data")
    (folder / "depth.txt").unlink()
    assert [frame.depth_m for frame in TumSource(folder)] == [None] * 3


def test_the_calibration_goes_by_the_name_of_the_folder(tmp_path: Path) -> None:
    named = TumSource(make_tum(tmp_path / "rgbd_dataset_freiburg1_desk")).camera
    assert (named.fx, named.cx) == (517.3, 318.6 + 0.5)
    assert named.distortion_model == "plumb_bob"
    folder = make_tum(tmp_path / "data")
    other = TumSource(folder).camera
    # That of 640 x 480 pixels, for pictures an 80th as wide.
    assert (other.fx, other.cx, other.distortion_model) == (525 / 80, 4.0, "none")
    third = TumSource(folder, TumConfig(calibration="freiburg3")).camera
    assert (third.fx, third.width_px, third.height_px) == (535.4, 8, 6)


def test_a_camera_by_settings_and_a_warning_for_an_unknown_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_tum(tmp_path / "data")
    given = TumSource(folder, TumConfig(fx=7.0, fy=7.5, cx=3.25, cy=2.25)).camera
    assert (given.fx, given.fy, given.cx, given.cy) == (7.0, 7.5, 3.75, 2.75)
    middle = TumSource(folder, TumConfig(fx=7.0)).camera
    assert (middle.fx, middle.fy, middle.cx, middle.cy) == (7.0, 7.0, 4.0, 3.0)
    with pytest.raises(SourceError, match="without fx"):
        TumSource(folder, TumConfig(cx=3.25))
    TumSource(make_tum(tmp_path / "rgbd_dataset_freiburg2_xyz"))
    TumSource(folder, TumConfig(calibration="default"))
    assert "no camera of the benchmark" not in caplog.text
    TumSource(folder)
    assert (
        "no camera of the benchmark" in caplog.text
        and "fx 525" in caplog.text
        and "source.tum.fx" in caplog.text
    )


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("groundtruth", "1305031102.05 nan 2 3 0 0 0 1", "groundtruth.txt, line 3: .*finite"),
        ("groundtruth", "1305031102.05 1 2 3 0 0 0 2", "groundtruth.txt, line 3: .*unit"),
        ("groundtruth", "1305031102.05 1 2 3 0 0 0 0", "groundtruth.txt, line 3: .*unit"),
        ("groundtruth", "1305031102.05 1 2 3", "groundtruth.txt, line 3: 4 columns; expected 8"),
        ("groundtruth", "when 1 2 3 0 0 0 1", "groundtruth.txt, line 3: time stamp 'when'"),
        ("rgb", "1305031102.1", "rgb.txt, line 3: .*expected a time stamp and a file"),
        ("rgb", "1305031102.1 rgb/lost.png", r"rgb/lost\.png: no such file"),
        ("depth", "1305031102.104 depth/lost.png", r"depth/lost\.png: no such file"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, file: str, line: str, message: str) -> None:
    folder = make_tum(tmp_path / "data")
    replace_line(folder / f"{file}.txt", 3, line)
    with pytest.raises(SourceError, match=message):
        TumSource(folder)


@pytest.mark.parametrize("name", ["rgb.txt", "groundtruth.txt"])
def test_missing_and_empty_lists_are_named(tmp_path: Path, name: str) -> None:
    folder = make_tum(tmp_path / "data")
    (folder / name).write_text("# nothing\n")
    with pytest.raises(SourceError, match=r"no poses|lists none"):
        TumSource(folder)
    (folder / name).unlink()
    with pytest.raises(SourceError, match=f"{name}: cannot be read"):
        TumSource(folder)


def test_a_file_of_intrinsics_beside_the_lists(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data")
    np.savetxt(folder / "camera-intrinsics.txt", np.array([[9.0, 0, 3], [0, 9.5, 2], [0, 0, 1]]))
    camera = TumSource(folder).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (9.0, 9.5, 3.5, 2.5)


def test_gaps_in_time_are_told_with_their_settings(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data")
    lines = (folder / "depth.txt").read_text().replace("1305031102.", "1305031109.")
    (folder / "depth.txt").write_text(lines)
    with pytest.raises(SourceError) as caught:
        TumSource(folder)
    # The last of colour is at 0.2 s, the first of depth at 7.004 s.
    assert "6.804 s from depth.txt (source.tum.sync_tolerance_s)" in str(caught.value)
    assert "0.050 s from groundtruth.txt (source.tum.pose_tolerance_s)" in str(caught.value)
