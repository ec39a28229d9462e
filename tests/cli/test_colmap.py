# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus colmap` on pictures of the built-in object, and on what it cannot use."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import CommandResult

from ineus_core.geometry import rigid_inverse
from ineus_core.sources import SyntheticConfig, SyntheticSource, open_source

pytest.importorskip("pycolmap")

Ineus = Callable[..., CommandResult]


def write_pictures(folder: Path, pictures: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i:03d}.png"), picture[..., ::-1])
    return folder


def test_poses_of_the_object(tmp_path: Path, ineus: Ineus) -> None:
    config = SyntheticConfig(scene="object", frames=250, width_px=320, height_px=320, depth=False)
    source = SyntheticSource(config)
    pictures = [source.frame(i).rgb for i in range(10)]
    folder = write_pictures(tmp_path / "in", pictures)
    lens = ("--camera-model", "SIMPLE_PINHOLE", "--threads", 1)
    result = ineus("colmap", folder, "--out", tmp_path / "out", *lens)
    assert result.exit_code == 0, result.stderr
    assert "10 of 10 pictures registered" in result.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["images", "sparse"]
    frames = list(open_source(tmp_path / "out"))
    assert np.array_equal(frames[3].rgb, pictures[3])
    assert frames[0].camera.fx == pytest.approx(source.camera.fx, rel=0.1)
    true = source.world_from_camera
    for i in range(1, 10):
        found = rigid_inverse(frames[0].world_from_camera) @ frames[i].world_from_camera
        expected = rigid_inverse(true[0]) @ true[i]
        cosine = (np.trace(found[:3, :3].T @ expected[:3, :3]) - 1) / 2
        assert np.degrees(np.arccos(min(cosine, 1))) < 4


def test_pictures_without_texture(tmp_path: Path, ineus: Ineus) -> None:
    pictures = [np.full((64, 80, 3), 100 + i, dtype=np.uint8) for i in range(3)]
    folder = write_pictures(tmp_path / "in", pictures)
    result = ineus("colmap", folder, "--out", tmp_path / "out", "--threads", 1)
    result.assert_fails(1, str(folder), "0 of 3 pictures registered")
    # Nothing half-made is left.
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_every_nth_frame_of_a_video(tmp_path: Path, ineus: Ineus) -> None:
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 64))
    for i in range(6):
        writer.write(np.full((64, 80, 3), 40 * i, dtype=np.uint8))
    writer.release()
    result = ineus("colmap", film, "--out", tmp_path / "out", "--every", 2, "--threads", 1)
    result.assert_fails(1, "film.avi", "0 of 3 pictures registered")
    few = ineus("colmap", film, "--out", tmp_path / "out", "--every", 3)
    few.assert_fails(1, "film.avi", "2 pictures; expected at least 3")


def test_bad_input(tmp_path: Path, ineus: Ineus) -> None:
    out = tmp_path / "out"
    ineus("colmap", tmp_path / "lost", "--out", out).assert_fails(1, "lost", "no such file")
    (tmp_path / "notes.txt").write_text("no film")
    film = ineus("colmap", tmp_path / "notes.txt", "--out", out)
    film.assert_fails(1, "notes.txt", "cannot be read as a video")
    (tmp_path / "empty").mkdir()
    ineus("colmap", tmp_path / "empty", "--out", out).assert_fails(
        1, "empty: the folder is empty", "expected pictures or a video"
    )
    pictures = [np.zeros((64, 80, 3), dtype=np.uint8)] * 3
    folder = write_pictures(tmp_path / "in", pictures)
    ineus("colmap", folder, "--out", out, "--matcher", "x").assert_fails(2, "--matcher 'x'")
    ineus("colmap", folder, "--out", out, "--camera", "x").assert_fails(2, "--camera 'x'")
    ineus("colmap", folder, "--out", folder).assert_fails(2, "exists", "--overwrite")
    model = ineus("colmap", folder, "--out", out, "--camera-model", "LENS")
    model.assert_fails(2, "'LENS'", "SIMPLE_RADIAL")
    (folder / "001.png").write_bytes(b"no picture")
    ineus("colmap", folder, "--out", out).assert_fails(1, "001.png", "cannot be read")
    assert not out.exists()
