# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences in the layout of 7-Scenes."""

from pathlib import Path

import numpy as np
import pytest
from folder_making import colour, make_seven_scenes, pose, replace_line, write_colour

from ineus_core.errors import SourceError
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.seven_scenes import SevenScenesConfig, SevenScenesSource


def test_frames_as_written(tmp_path: Path) -> None:
    source = SevenScenesSource(make_seven_scenes(tmp_path / "seq-01"))
    frames = list(source)
    assert len(source) == 3
    assert [frame.stamp_ns for frame in frames] == [0, 33_333_333, 66_666_667]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, colour(i))
        np.testing.assert_allclose(frame.world_from_camera, pose(i), atol=1e-7)
        assert frame.depth_m is not None
        np.testing.assert_allclose(frame.depth_m[0, :5], (1.0, 2.5, 0, 0.05, 0))


def test_65535_is_no_return(tmp_path: Path) -> None:
    source = SevenScenesSource(make_seven_scenes(tmp_path / "seq"), options=ReadOptions())
    depth_m = next(iter(source)).depth_m
    assert depth_m is not None
    np.testing.assert_allclose(depth_m[0, :4], (1.0, 2.5, 0, 0.05))


def test_camera_by_default_by_configuration_and_by_file(tmp_path: Path) -> None:
    folder = make_seven_scenes(tmp_path / "seq-01")
    default = SevenScenesSource(folder).camera
    assert (default.fx, default.fy, default.cx, default.cy) == (585.0, 585.0, 320.5, 240.5)
    assert (default.width_px, default.height_px) == (8, 6)
    config = SevenScenesConfig(fx=7.0, fy=8.0, cx=3.5, cy=2.5)
    chosen = SevenScenesSource(folder, config).camera
    assert (chosen.fx, chosen.fy, chosen.cx, chosen.cy) == (7.0, 8.0, 4.0, 3.0)
    np.savetxt(folder / "camera-intrinsics.txt", np.array([[9.0, 0, 3], [0, 9.5, 2], [0, 0, 1]]))
    assert SevenScenesSource(folder, config).camera == chosen
    by_file = SevenScenesSource(folder).camera
    assert (by_file.fx, by_file.fy, by_file.cx, by_file.cy) == (9.0, 9.5, 3.5, 2.5)


def test_the_camera_one_folder_up_and_a_warning_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_seven_scenes(tmp_path / "scene" / "seq-01")
    SevenScenesSource(folder)
    assert "fx 585" in caplog.text and "source.seven_scenes.fx" in caplog.text
    caplog.clear()
    matrix = np.array([[9.0, 0, 3], [0, 9.5, 2], [0, 0, 1]])
    np.savetxt(folder.parent / "camera-intrinsics.txt", matrix)
    for path in (folder, folder.parent):
        camera = SevenScenesSource(path).camera
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (9.0, 9.5, 3.5, 2.5)
    assert not caplog.records


def test_rate_and_number_make_the_stamp(tmp_path: Path) -> None:
    folder = make_seven_scenes(tmp_path / "seq-01", frames=2)
    for path in list(folder.glob("frame-000001.*")):
        path.rename(path.with_name(path.name.replace("000001", "000040")))
    source = SevenScenesSource(folder, SevenScenesConfig(rate_hz=20.0))
    assert [frame.stamp_ns for frame in source] == [0, 2_000_000_000]


def test_the_only_sequence_of_a_scene_is_found(tmp_path: Path) -> None:
    make_seven_scenes(tmp_path / "scene" / "seq-01")
    assert len(SevenScenesSource(tmp_path / "scene")) == 3
    make_seven_scenes(tmp_path / "scene" / "seq-02")
    with pytest.raises(SourceError, match=r"2 sequences \(seq-01, seq-02\)"):
        SevenScenesSource(tmp_path / "scene")


def test_colour_without_pose_is_counted(tmp_path: Path) -> None:
    folder = make_seven_scenes(tmp_path / "seq-01")
    write_colour(folder / "frame-000009.color.png", 9)
    source = SevenScenesSource(folder)
    assert len(list(source)) == 3
    assert source.dropped == {"no_pose": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nan 0 0 0", r"frame-000001\.pose\.txt, line 2: .*expected 4 finite numbers"),
        ("1 0 0", r"frame-000001\.pose\.txt, line 2: .*expected 4 finite numbers"),
        ("one 0 0 0", r"frame-000001\.pose\.txt, line 2: .*one"),
        ("1.1 0 0 0", r"frame-000001\.pose\.txt: pose is not rigid"),
        ("", r"frame-000001\.pose\.txt: 3 rows; expected 4"),
    ],
)
def test_bad_poses_are_named(tmp_path: Path, line: str, message: str) -> None:
    folder = make_seven_scenes(tmp_path / "seq-01")
    replace_line(folder / "frame-000001.pose.txt", 2, line)
    with pytest.raises(SourceError, match=message):
        SevenScenesSource(folder)


@pytest.mark.parametrize("name", ["frame-000000.color.png", "frame-000002.depth.png"])
def test_missing_pictures_are_named(tmp_path: Path, name: str) -> None:
    folder = make_seven_scenes(tmp_path / "seq-01")
    (folder / name).unlink()
    with pytest.raises(SourceError, match=f"{name}: no such file"):
        SevenScenesSource(folder)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected a sequence of 7-Scenes"):
        SevenScenesSource(tmp_path)
