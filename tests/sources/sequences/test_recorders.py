# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""What is particular about single layouts: marks of lost frames, lenses, confidence, sizes."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import sequence_formats as formats
from folder_making import write_colour, write_depth
from sequence_formats import WALK_FRAMES, room_walk

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.sources import SourceConfig, open_source
from ineus_core.sources.sequences import (
    PolycamSource,
    Record3DConfig,
    Record3DSource,
    RgbdFolderConfig,
    RgbdFolderSource,
    ScanNetSource,
    StrayScannerConfig,
    StrayScannerSource,
)


def test_lost_frames_of_scannet_are_counted(tmp_path: Path) -> None:
    folder = formats.write_scannet(tmp_path / "scan")
    np.savetxt(folder / "pose" / "3.txt", np.full((4, 4), -np.inf), fmt="%f")
    (folder / "pose" / "5.txt").unlink()
    (folder / "depth" / "6.png").unlink()
    source = ScanNetSource(folder)
    assert source.dropped == {"no_pose": 2, "no_depth": 1}
    # The stamps stay those of the numbers: 10 comes after 9, not after 1.
    expected = [i for i in range(WALK_FRAMES) if i not in (3, 5, 6)]
    assert source.stamps_ns == [round(i * 1e8) for i in expected]


def test_depth_of_another_lens_is_registered(tmp_path: Path) -> None:
    """A wall 2 m away, in a depth camera of half the size and of twice the field of view."""
    for name in ("color", "depth", "pose", "intrinsic"):
        (tmp_path / name).mkdir()
    write_colour(tmp_path / "color" / "0.png", 1, (24, 32))
    depth = np.full((12, 16), 2000, np.uint16)
    depth[:, :6] = 3000
    cv2.imwrite(str(tmp_path / "depth" / "0.png"), depth)
    np.savetxt(tmp_path / "pose" / "0.txt", np.eye(4))
    colour = "40 0 15.5 0\n0 40 11.5 0\n0 0 1 0\n0 0 0 1\n"
    (tmp_path / "intrinsic" / "intrinsic_color.txt").write_text(colour)
    wide = "10 0 7.5 0\n0 10 5.5 0\n0 0 1 0\n0 0 0 1\n"
    (tmp_path / "intrinsic" / "intrinsic_depth.txt").write_text(wide)
    found = next(iter(ScanNetSource(tmp_path))).depth_m
    # The edge 2 columns left of the middle of the one is 8 left of the middle of the other.
    assert found is not None
    np.testing.assert_allclose(found[12, :8], 3.0)
    np.testing.assert_allclose(found[12, 8:], 2.0)


def test_intrinsics_of_full_pictures_beside_smaller_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("color", "pose", "intrinsic"):
        (tmp_path / name).mkdir()
    write_colour(tmp_path / "color" / "0.png", 1, (484, 648))
    np.savetxt(tmp_path / "pose" / "0.txt", np.eye(4))
    colour = "1169 0 646.5 0\n0 1167 489.5 0\n0 0 1 0\n0 0 0 1\n"
    (tmp_path / "intrinsic" / "intrinsic_color.txt").write_text(colour)
    camera = ScanNetSource(tmp_path).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (584.5, 583.5, 323.5, 245.0)
    assert "calibrated_width_px" in caplog.text


def test_the_first_format_of_stray_scanner_and_confidence(tmp_path: Path) -> None:
    folder = formats.write_stray_scanner(tmp_path / "recording")
    lines = (folder / "odometry.csv").read_text().splitlines()[1:]
    (folder / "odometry.csv").write_text("\n".join(line.split(", ", 2)[2] for line in lines))
    (folder / "confidence").mkdir()
    sure = np.full((120, 160), 2, np.uint8)
    sure[:60] = 0
    cv2.imwrite(str(folder / "confidence" / "000002.png"), sure)
    source = StrayScannerSource(folder, StrayScannerConfig(every=2))
    frames = list(source)
    assert len(frames) == len(source) == WALK_FRAMES // 2
    # 60 pictures a second.
    assert [frame.stamp_ns for frame in frames[:2]] == [0, 33_333_333]
    assert not frames[1].depth_m[:60].any() and frames[1].depth_m[60:].all()
    assert frames[0].depth_m.all()
    skipped = formats.ARKIT_FROM_WORLD @ room_walk().frames[1].world_from_camera
    np.testing.assert_allclose(source.pose_at(16_666_667), skipped, atol=1e-6)


def test_lines_beyond_the_end_of_a_video_are_counted(tmp_path: Path) -> None:
    folder = formats.write_stray_scanner(tmp_path / "recording")
    with open(folder / "odometry.csv", "a") as file:
        file.write("9.0, 000099, 0, 0, 0, 0, 0, 0, 1\n")
    source = StrayScannerSource(folder)
    assert len(list(source)) == WALK_FRAMES
    assert source.dropped == {"no_picture": 1}
    (folder / "rgb.mp4").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(SourceError, match=r"pointer of Git LFS.*git lfs pull"):
        StrayScannerSource(folder)


def test_pictures_of_polycam_without_camera_and_poses_it_improved(tmp_path: Path) -> None:
    folder = formats.write_polycam(tmp_path / "export")
    keyframes = folder / "keyframes"
    first = sorted((keyframes / "cameras").iterdir())[0]
    first.unlink()
    assert PolycamSource(folder).dropped == {"no_pose": 1}
    (keyframes / "images").rename(keyframes / "corrected_images")
    (keyframes / "cameras").rename(keyframes / "corrected_cameras")
    assert len(PolycamSource(keyframes)) == WALK_FRAMES - 1


def test_depth_of_record3d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = formats.write_record3d(tmp_path / "recording")
    depth = np.full((24, 32), 2.5, np.float32)
    depth[0, 0] = np.nan
    sure = np.ones((24, 32), np.uint8)
    sure[1, 1] = 0
    for i in range(WALK_FRAMES):
        (folder / "rgbd" / f"{i}.depth").write_bytes(depth.tobytes())
        (folder / "rgbd" / f"{i}.conf").write_bytes(sure.tobytes())
    monkeypatch.setitem(sys.modules, "liblzfse", None)
    with pytest.raises(MissingDependencyError, match="pip install pyliblzfse"):
        Record3DSource(folder)
    assert next(iter(Record3DSource(folder, Record3DConfig(depth=False)))).depth_m is None
    # What unpacks them is a package of its own; here they are not packed.
    monkeypatch.setitem(sys.modules, "liblzfse", SimpleNamespace(decompress=bytes))
    found = next(iter(Record3DSource(folder))).depth_m
    # A pixel of depth covers 5 x 5 of colour.
    assert found is not None
    assert not found[:5, :5].any() and not found[5:10, 5:10].any()
    assert found[0, 5] == found[10, 10] == 2.5
    (folder / "rgbd" / "0.depth").write_bytes(b"short")
    with pytest.raises(SourceError, match="5 bytes; expected 3072 for 32 x 24"):
        next(iter(Record3DSource(folder)))


def test_the_focal_length_of_each_picture_of_record3d(tmp_path: Path) -> None:
    folder = formats.write_record3d(tmp_path / "recording")
    content = json.loads((folder / "metadata").read_text())
    content["perFrameIntrinsicCoeffs"] = [[100 + i, 110 + i, 80, 60] for i in range(WALK_FRAMES)]
    content["frameTimestamps"] = [0.5 * i for i in range(WALK_FRAMES)]
    (folder / "metadata").write_text(json.dumps(content))
    (folder / "rgbd" / "4.jpg").unlink()
    source = Record3DSource(folder)
    frames = list(source)
    assert [(f.camera.fx, f.camera.fy) for f in frames[:2]] == [(100, 110), (101, 111)]
    assert frames[1].stamp_ns == 500_000_000
    assert source.dropped == {"no_picture": 1}


def test_a_packed_or_exported_recording_is_named(tmp_path: Path) -> None:
    folder = formats.write_record3d(tmp_path / "export")
    (folder / "rgbd").rename(folder / "rgb")
    (folder / "metadata").rename(folder / "metadata.json")
    assert len(list(open_source(folder))) == WALK_FRAMES
    (folder / "depth").mkdir()
    (folder / "depth" / "0.exr").write_bytes(b"v/1")
    with pytest.raises(SourceError, match=r"EXR is not read.*source\.record3d\.depth=false"):
        open_source(folder)
    packed = tmp_path / "walk.r3d"
    packed.write_bytes(b"PK")
    with pytest.raises(SourceError, match=r"unzip .*walk\.r3d -d DIR"):
        open_source(packed)


def make_folder(folder: Path, stems: list[str], depth_stems: list[str]) -> Path:
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    for i, (stem, depth) in enumerate(zip(stems, depth_stems, strict=True)):
        write_colour(folder / "rgb" / f"{stem}.png", i)
        write_depth(folder / "depth" / f"{depth}.png", (1000 + i,))
    lines = [line for i in range(len(stems)) for line in (f"{i} {i} {i + 1}", *EYE)]
    (folder / "trajectory.log").write_text("\n".join(lines))
    return folder


EYE = ["1 0 0 0", "0 1 0 0", "0 0 1 0", "0 0 0 1"]


@pytest.mark.parametrize(
    ("colours", "depths"),
    [
        (["8", "9", "10"], ["8", "9", "10"]),
        (["rgb_8", "rgb_9", "rgb_10"], ["d_8", "d_9", "d_10"]),
        (["1-000", "2-333", "3-667"], ["1-012", "2-345", "3-679"]),
        (["1.00", "1.33", "1.66"], ["1.02", "1.35", "1.68"]),
    ],
)
def test_depth_belongs_to_colour_by_number_or_place(
    tmp_path: Path, colours: list[str], depths: list[str]
) -> None:
    source = RgbdFolderSource(make_folder(tmp_path / "data", colours, depths))
    first = [(int(frame.rgb[0, 0, 0]), float(frame.depth_m[0, 0])) for frame in source]
    assert first == [
        (0, pytest.approx(1.0)),
        (10, pytest.approx(1.001)),
        (20, pytest.approx(1.002)),
    ]


def test_a_camera_by_settings_and_by_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_folder(tmp_path / "data", ["0", "1", "2"], ["0", "1", "2"])
    given = RgbdFolderSource(folder, RgbdFolderConfig(fx=7, cx=3.25, depth_scale=500))
    camera = given.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (7, 7, 3.75, 3.0)
    assert next(iter(given)).depth_m[0, 0] == pytest.approx(2.0)
    # All poses of this folder are the same, which is said.
    assert "all 3 poses are the same" in caplog.text
    default = RgbdFolderSource(folder).camera
    assert (default.fx, default.cx) == (525 / 80, 320 / 80)
    assert "source.rgbd_folder.fx" in caplog.text
    colour = RgbdFolderSource(folder, RgbdFolderConfig(depth_folder="none"))
    assert next(iter(colour)).depth_m is None


def test_what_lacks_is_named_with_its_setting(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", ["0", "1"], ["0", "1"])
    for settings, message in (
        ({"color_folder": "left"}, "left: no folder of colour.*color_folder"),
        ({"trajectory": "other.txt"}, "other.txt: no trajectory.*rgbd_folder.trajectory"),
        ({"depth_folder": "none2"}, "none2: no such folder.*depth_folder"),
    ):
        config = SourceConfig.model_validate({"rgbd_folder": settings})
        with pytest.raises(SourceError, match=message):
            open_source(folder, config=config)
    (folder / "camera_intrinsic.json").write_text(
        '{"width": 640, "height": 360, "intrinsic_matrix": [5, 0, 0, 0, 5, 0, 3, 2, 1]}'
    )
    with pytest.raises(SourceError, match="640 x 360 pixels for pictures of 8 x 6"):
        open_source(folder)
