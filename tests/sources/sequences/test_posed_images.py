# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of posed images: what is read, and what is refused with the path or line named."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from folder_making import colour, make_posed_images, pose, replace_line, write_colour, write_depth

from ineus_core.errors import SourceError
from ineus_core.sources import open_source
from ineus_core.sources.read_options import ReadOptions
from ineus_core.sources.sequences.posed_images import PosedImagesConfig, PosedImagesSource
from ineus_core.types import check_rigid


def poses_line(rotation: np.ndarray, frame: str = "000001", stamp: str = "0.1") -> str:
    rows = np.concatenate((rotation, np.ones((3, 1))), axis=1)
    return f"{frame} {stamp} " + " ".join(str(x) for x in rows.reshape(-1))


def test_frames_as_written(tmp_path: Path) -> None:
    source = PosedImagesSource(make_posed_images(tmp_path / "data"))
    frames = list(source)
    assert len(source) == len(frames) == 3
    assert [frame.stamp_ns for frame in frames] == [0, 100_000_000, 200_000_000]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, colour(i))
        np.testing.assert_allclose(frame.world_from_camera, pose(i), atol=1e-12)
        assert frame.depth_m is not None
        assert frame.depth_m.dtype == np.float32
        # 5 cm is too near, 60 m too far.
        np.testing.assert_allclose(frame.depth_m[0, :5], (1.0, 2.5, 0.05, 60.0, 0))
    assert not source.dropped
    assert [frame.stamp_ns for frame in source] == [frame.stamp_ns for frame in frames]


def test_pixel_centres_move_by_half_a_pixel(tmp_path: Path) -> None:
    source = PosedImagesSource(make_posed_images(tmp_path / "data", distortion=[0.1, 0, 0, 0, 0]))
    assert (source.camera.cx, source.camera.cy) == (4.0, 3.0)
    assert (source.camera.fx, source.camera.fy) == (7.0, 7.5)
    assert source.camera.distortion_model == "plumb_bob"
    plain = PosedImagesSource(make_posed_images(tmp_path / "plain", distortion=[0, 0, 0, 0, 0]))
    assert plain.camera.distortion_model == "none"


def test_without_depth(tmp_path: Path) -> None:
    source = PosedImagesSource(make_posed_images(tmp_path / "data", depth=False))
    assert all(frame.depth_m is None for frame in source)


def test_depth_scale_of_the_file_and_of_the_configuration(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data", depth_scale=500.0)
    by_file, by_config = (
        next(iter(PosedImagesSource(folder, config)))
        for config in (None, PosedImagesConfig(depth_scale=250.0))
    )
    assert by_file.depth_m is not None
    assert by_config.depth_m is not None
    np.testing.assert_allclose(by_file.depth_m[0, :3], (2.0, 5.0, 0.1))
    np.testing.assert_allclose(by_config.depth_m[0, :3], (4.0, 10.0, 0.2))


def test_fewer_frames(tmp_path: Path) -> None:
    source = PosedImagesSource(
        make_posed_images(tmp_path / "data"), options=ReadOptions(max_frames=2)
    )
    frames = list(source)
    assert len(frames) == len(source) == 2
    assert frames[0].depth_m is not None
    np.testing.assert_allclose(frames[0].depth_m[0, :4], (1.0, 2.5, 0.05, 60.0))


def test_stamps_rise_and_repeated_ones_are_counted(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data", frames=4)
    replace_line(folder / "poses.txt", 2, poses_line(np.eye(3), "000000", "0.35"))
    replace_line(folder / "poses.txt", 3, poses_line(np.eye(3), "000001", "0.300000"))
    source = PosedImagesSource(folder)
    assert [frame.stamp_ns for frame in source] == [200_000_000, 300_000_000, 350_000_000]
    assert source.dropped == {"repeated_stamp": 1}


def test_stamps_keep_their_nanoseconds(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data", frames=1)
    replace_line(folder / "poses.txt", 2, poses_line(np.eye(3), "000000", "1305031102.175304123"))
    assert next(iter(PosedImagesSource(folder))).stamp_ns == 1305031102_175304123


def test_a_rotation_that_was_rounded_is_made_exact(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    rounded = np.array([[0.0, -1.0005, 0.001], [0.9995, 0.0005, 0], [0, 0, 1]])
    replace_line(folder / "poses.txt", 3, poses_line(rounded))
    frames = list(PosedImagesSource(folder))
    check_rigid(frames[1].world_from_camera, 1e-12)
    np.testing.assert_allclose(frames[1].world_from_camera[:3, :3], rounded, atol=2e-3)


def test_files_are_read_when_their_frame_is_due(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    frames = iter(PosedImagesSource(folder))
    next(frames)
    (folder / "images" / "000001.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"000001\.png: cannot be read as a picture"):
        next(frames)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (poses_line(np.eye(3) * np.nan), "poses.txt, line 3: pose with a NaN"),
        (poses_line(np.diag((1.0, 1, 1.1))), "poses.txt, line 3: pose is not rigid"),
        (poses_line(np.diag((1.0, 1, -1))), "poses.txt, line 3: pose is not rigid"),
        (poses_line(np.eye(3)) + " 7", "poses.txt, line 3: 15 columns; expected 14"),
        ("000001 0.1 1 0 0", "poses.txt, line 3: 5 columns; expected 14"),
        (poses_line(np.eye(3)).replace("0.0", "zero"), "poses.txt, line 3: .*zero"),
        (poses_line(np.eye(3), stamp="soon"), "poses.txt, line 3: time stamp 'soon'"),
        (poses_line(np.eye(3), stamp="nan"), "poses.txt, line 3: time stamp 'nan'"),
        (poses_line(np.eye(3), stamp="inf"), "poses.txt, line 3: time stamp 'inf'"),
        (poses_line(np.eye(3), stamp="-1"), "poses.txt, line 3: time stamp '-1'"),
        (poses_line(np.eye(3), frame="000007"), "000007.jpg: no such file"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    folder = make_posed_images(tmp_path / "data")
    replace_line(folder / "poses.txt", 3, line)
    with pytest.raises(SourceError, match=message):
        PosedImagesSource(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "images" / "000002.png").unlink(), r"images/000002\.jpg: no such file"),
        (lambda f: (f / "depth" / "000002.png").unlink(), r"depth/000002\.png: no such file"),
        (lambda f: [p.unlink() for p in (f / "images").iterdir()], "images: no pictures"),
        (lambda f: (f / "poses.txt").unlink(), r"poses\.txt: cannot be read"),
        (lambda f: (f / "poses.txt").write_text("# nothing\n"), r"poses\.txt: no poses"),
        (lambda f: (f / "poses.txt").write_bytes(b"\xff\xfe\x00"), r"poses\.txt: cannot be read"),
        (lambda f: (f / "intrinsics.json").unlink(), r"intrinsics\.json: cannot be read as JSON"),
        (lambda f: (f / "intrinsics.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "intrinsics.json").write_text("[1]"), "expected a JSON object"),
    ],
)
def test_missing_files_are_named(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = make_posed_images(tmp_path / "data")
    damage(folder)
    with pytest.raises(SourceError, match=message):
        PosedImagesSource(folder)


def test_a_missing_depth_file_is_named_with_how_many_are_there(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data", frames=5)
    (folder / "depth" / "000002.png").unlink()
    with pytest.raises(SourceError) as caught:
        open_source(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder / 'depth' / '000002.png'}: no such file")
    assert "4 of 5 depth files are there: add 000002.png, or leave that frame out" in text
    # It is of this kind, with most of its files.
    assert "--source" not in text


def test_many_missing_files_are_counted_and_some_named(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data", frames=6)
    for index in range(1, 6):
        (folder / "depth" / f"00000{index}.png").unlink()
    message = "1 of 6 depth files are there: add 000001.png, 000002.png, 000003.png and 2 more"
    with pytest.raises(SourceError, match=message):
        PosedImagesSource(folder)
    (folder / "depth" / "000000.png").unlink()
    with pytest.raises(SourceError, match="none of the 6 depth files is there"):
        PosedImagesSource(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fx": "wide"}, "fx 'wide'; expected a finite number"),
        ({"fx": float("nan")}, "fx nan"),
        ({"fx": -2.0}, "expected finite numbers and positive focal lengths"),
        ({"width": True}, "width True"),
        ({"distortion": [1, 2]}, r"distortion \[1, 2\]"),
        ({"distortion": [1, 2, 3, None]}, "distortion None"),
        ({"depth_scale": 0}, "depth_scale 0.0; expected a positive number"),
        ({"camera_model": "fisheye"}, "camera_model 'fisheye'"),
        ({"depth_registered_to_colour": False}, "depth_registered_to_colour"),
    ],
)
def test_bad_intrinsics_are_named(tmp_path: Path, fields: dict, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        PosedImagesSource(make_posed_images(tmp_path / "data", **fields))


def test_missing_intrinsics_are_named(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    (folder / "intrinsics.json").write_text(json.dumps({"width": 8, "height": 6}))
    with pytest.raises(SourceError, match="no 'fx'"):
        PosedImagesSource(folder)


def test_pictures_of_another_size_are_named(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    write_depth(folder / "depth" / "000001.png", (1000,), size=(6, 4))
    frames = iter(PosedImagesSource(folder))
    next(frames)
    with pytest.raises(SourceError, match=r"depth/000001\.png: depth of 4 x 6 .* 8 x 6"):
        next(frames)
    write_colour(folder / "images" / "000000.png", 0, size=(12, 16))
    with pytest.raises(SourceError, match=r"images/000000\.png: picture of 16 x 12 .* 8 x 6"):
        next(iter(PosedImagesSource(folder)))


def test_depth_of_eight_bits_is_refused(tmp_path: Path) -> None:
    folder = make_posed_images(tmp_path / "data")
    cv2.imwrite(str(folder / "depth" / "000000.png"), np.zeros((6, 8), dtype=np.uint8))
    with pytest.raises(SourceError, match=r"1 channel\(s\) of uint8; expected .* uint16"):
        next(iter(PosedImagesSource(folder)))
