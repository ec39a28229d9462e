# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Lenses, masks and reduced pictures of COLMAP models, and models that cannot be used."""

import builtins
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scene_formats as formats
from scene_formats import SIZE_PX, VIEWS, object_scene, similarity, write_colmap

from ineus_core.errors import MissingDependencyError, SourceError
from ineus_core.geometry import project, undistort_pixels
from ineus_core.sources import SourceConfig, frame_count, open_source
from ineus_core.types import Camera, Frame

pycolmap = pytest.importorskip("pycolmap")

F, C = (60.0,), (20.5, 19.0)
LENSES = {
    "SIMPLE_PINHOLE": (*F, *C),
    "PINHOLE": (*F, 62.0, *C),
    "SIMPLE_RADIAL": (*F, *C, -0.05),
    "RADIAL": (*F, *C, -0.05, 0.02),
    "OPENCV": (*F, 62.0, *C, -0.05, 0.02, 0.003, -0.002),
    "FULL_OPENCV": (*F, 62.0, *C, -0.05, 0.02, 0.003, -0.002, 0.01, 0.02, -0.01, 0.005),
    "OPENCV_FISHEYE": (*F, 62.0, *C, 0.05, -0.02, 0.01, -0.005),
    "SIMPLE_RADIAL_FISHEYE": (*F, *C, 0.05),
    "RADIAL_FISHEYE": (*F, *C, 0.05, -0.02),
    "SIMPLE_FISHEYE": (*F, *C),
    "FISHEYE": (*F, 62.0, *C),
}
UNDISTORTED = {
    "FOV": (*F, 62.0, *C, 0.8),
    "THIN_PRISM_FISHEYE": (*F, 62.0, *C, 0.05, -0.02, 0.003, -0.002, 0.01, -0.005, 0.002, 0.001),
    "SIMPLE_DIVISION": (*F, *C, -0.05),
}


def write_lens(folder: Path, model: str, params: tuple[float, ...]) -> Path:
    write_colmap(folder, binary=False)
    numbers = " ".join(map(repr, params))
    cameras = folder / "sparse" / "0" / "cameras.txt"
    cameras.write_text(f"1 {model} {SIZE_PX} {SIZE_PX} {numbers}\n")
    return folder


def colmap_camera(model: str, params: tuple[float, ...]) -> Any:
    return pycolmap.Camera(model=model, width=SIZE_PX, height=SIZE_PX, params=list(params))


def first_frame(folder: Path, **settings: Any) -> Frame:
    config = SourceConfig.model_validate({"colmap": settings})
    return next(iter(open_source(folder, config=config)))


@pytest.mark.parametrize("model", LENSES)
def test_lenses_project_as_in_colmap(tmp_path: Path, model: str) -> None:
    camera = first_frame(write_lens(tmp_path, model, LENSES[model])).camera
    rng = np.random.default_rng(0)
    points = np.concatenate((rng.uniform(-0.3, 0.3, (50, 2)), np.ones((50, 1))), axis=1)
    expected = colmap_camera(model, LENSES[model]).img_from_cam(points)
    assert np.abs(project(camera, points) - expected).max() < 1e-9
    assert np.abs(undistort_pixels(camera, expected) - points[:, :2]).max() < 1e-6


@pytest.mark.parametrize("model", UNDISTORTED)
def test_other_lenses_are_undistorted(tmp_path: Path, model: str) -> None:
    folder = write_lens(tmp_path, model, UNDISTORTED[model])
    columns, rows = np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX))
    # Linear in the position, so that any sample tells where it was taken.
    picture = np.stack((5 * columns, 5 * rows, 0 * rows), axis=-1).astype(np.uint8)
    formats.write_picture(folder / "images" / "view_000.png", picture)
    frame = first_frame(folder)
    assert frame.camera.distortion_model == "none"
    height, width = frame.rgb.shape[:2]
    pixels = np.array([(10, 12), (width - 12, height - 9)], dtype=np.float64) + 0.5
    rays = np.concatenate((undistort_pixels(frame.camera, pixels), np.ones((2, 1))), axis=1)
    stored = colmap_camera(model, UNDISTORTED[model]).img_from_cam(rays)
    for (column, row), where in zip(pixels.astype(int), stored, strict=True):
        assert np.abs(frame.rgb[row, column, :2] - 5 * (where - 0.5)).max() < 1.0


def test_undistorted_pictures_with_masks_and_reduced_files(tmp_path: Path) -> None:
    folder = write_lens(tmp_path, "FOV", UNDISTORTED["FOV"])
    whole = first_frame(folder)
    for i in range(VIEWS):
        name = f"view_{i:03d}.png"
        half = np.full((SIZE_PX // 2, SIZE_PX // 2, 3), 90, dtype=np.uint8)
        formats.write_picture(folder / "images_2" / name, half)
        formats.write_mask(folder / "masks" / name, np.ones((SIZE_PX // 2, SIZE_PX // 2)))
    frame = first_frame(folder, images_folder="images_2", masks="exclude")
    assert frame.camera == whole.camera
    assert (frame.rgb == 90).all()
    assert frame.mask.all()


def test_sphere_cameras_are_refused(tmp_path: Path) -> None:
    folder = write_lens(tmp_path, "EQUIRECTANGULAR", (40.0, 20.0))
    with pytest.raises(SourceError, match="EQUIRECTANGULAR"):
        open_source(folder)


def test_reduced_pictures(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path)
    for frame, file in zip(
        object_scene().frames, sorted((folder / "images").iterdir()), strict=True
    ):
        formats.write_picture(
            folder / "images_2" / file.name, cv2.resize(frame.rgb, None, fx=0.5, fy=0.5)
        )
    frame = first_frame(folder, images_folder="images_2")
    assert frame.rgb.shape == (20, 20, 3)
    assert frame.camera.fx == pytest.approx(object_scene().camera.fx / 2)


def test_the_largest_of_several_models_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_colmap(tmp_path, binary=False)
    whole = folder / "sparse" / "1"
    (folder / "sparse" / "0").rename(whole)
    part = folder / "sparse" / "0"
    shutil.copytree(whole, part)
    rows = (part / "images.txt").read_text().splitlines()
    (part / "images.txt").write_text("\n".join(rows[:6]) + "\n")
    source: Any = open_source(folder)
    assert len(source) == VIEWS
    assert "0 with 3, 1 with 12 pictures" in caplog.text
    alone = tmp_path / "alone"
    shutil.copytree(folder / "images", alone / "images")
    shutil.copytree(whole, alone / "sparse" / "1")
    assert frame_count(open_source(alone)) == VIEWS
    config = SourceConfig.model_validate({"colmap": {"model_folder": "sparse/0"}})
    assert frame_count(open_source(folder, config=config)) == 3


def test_a_model_whose_number_is_not_0_is_found(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path)
    (folder / "sparse" / "0").rename(folder / "sparse" / "1")
    assert frame_count(open_source(folder)) == VIEWS


def test_pictures_that_differ_by_a_pixel(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path)
    for number, size in ((2, (41, 40)), (5, (40, 39))):
        picture = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
        formats.write_picture(folder / "images" / f"view_{number:03d}.png", picture)
    frames = list(open_source(folder))
    assert {frame.rgb.shape for frame in frames} == {(SIZE_PX, SIZE_PX, 3)}
    for number in (2, 5):
        camera = frames[number].camera
        assert (frames[number].rgb == 90).all()
        assert (camera.fx, camera.cy) == pytest.approx(
            (object_scene().camera.fx, object_scene().camera.cy), abs=1e-6
        )


@pytest.mark.parametrize("name", ["view_000.png.png", "view_000.png"])
def test_some_pictures_have_masks(tmp_path: Path, name: str) -> None:
    folder = write_colmap(tmp_path)
    inside = object_scene().foreground[0]
    formats.write_mask(folder / "masks" / name, inside)
    config = SourceConfig.model_validate({"colmap": {"masks": "exclude"}})
    first, second = list(open_source(folder, config=config))[:2]
    assert np.array_equal(first.mask, inside)
    assert second.mask is None
    config = SourceConfig.model_validate({"colmap": {"masks": "composite", "background": "black"}})
    assert not next(iter(open_source(folder, config=config))).rgb[~inside].any()


@pytest.mark.parametrize("binary", [True, False])
def test_points_and_normalisation(tmp_path: Path, binary: bool) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (200, 3))
    folder = write_colmap(tmp_path, binary, points)
    source: Any = open_source(folder)
    distances = [np.linalg.norm(pose[:3, 3]) for pose in source.world_from_camera]
    assert min(distances) == pytest.approx(1.0)
    # All cameras are three away from the origin of the scene and look at it.
    assert max(distances) == pytest.approx(1.0, abs=1e-6)
    assert np.abs(source.points).max() < 0.5
    back = source.points @ source.dataset_from_world[:3, :3].T + source.dataset_from_world[:3, 3]
    expected = points @ similarity()[:3, :3].T + similarity()[:3, 3]
    assert np.allclose(np.sort(back, axis=0), np.sort(expected, axis=0))


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("dense/0/images", r"dense/0 holds a model with pictures: `ineus run .*dense/0`"),
        ("input", r"source\.colmap\.images_folder=input reads those there"),
    ],
)
def test_a_model_without_its_pictures_names_where_they_are(
    tmp_path: Path, place: str, hint: str
) -> None:
    folder = write_colmap(tmp_path / "data", binary=True)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / "images").rename(folder / place)
    if place.startswith("dense"):
        shutil.copytree(folder / "sparse" / "0", (folder / place).parent / "sparse")
    with pytest.raises(SourceError, match=hint):
        open_source(folder)


def test_no_registered_pictures(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path, binary=False)
    (folder / "sparse" / "0" / "images.txt").write_text("# none\n")
    with pytest.raises(SourceError, match=r"sparse.0: 0 registered pictures; expected at least"):
        open_source(folder)


def test_broken_and_missing_models(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path, binary=False)
    cameras = folder / "sparse" / "0" / "cameras.txt"
    cameras.write_text("1 NONSENSE 40 40 1\n")
    with pytest.raises(SourceError, match=r"sparse.0: cannot be read as a model of COLMAP"):
        open_source(folder)
    cameras.unlink()
    with pytest.raises(SourceError, match=r"no cameras and images as .bin or .txt"):
        open_source(folder, "colmap")


def test_pycolmap_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_colmap(tmp_path)
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pycolmap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ineus_ros\[colmap\]'"):
        open_source(folder)


def test_a_signal_ends_a_program_as_before_when_colmap_is_loaded() -> None:
    program = (
        "import os, signal; from ineus_core.sources.photographs.colmap import import_pycolmap; "
        "signal.signal(signal.SIGTERM, lambda *_: print('heard')); import_pycolmap(); "
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard\n", "")


def test_portrait_beside_landscape_keeps_its_own_camera_and_size(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path, binary=False)
    sparse = folder / "sparse" / "0"
    with open(sparse / "cameras.txt", "a") as file:
        file.write("2 PINHOLE 30 48 61.0 62.0 14.5 25.0\n")
    rows = (sparse / "images.txt").read_text().splitlines()
    first = next(i for i, row in enumerate(rows) if row.endswith("view_003.png"))
    rows[first] = rows[first].replace(" 1 view_003.png", " 2 view_003.png")
    (sparse / "images.txt").write_text("\n".join(rows) + "\n")
    portrait = np.full((48, 30, 3), 90, dtype=np.uint8)
    formats.write_picture(folder / "images" / "view_003.png", portrait)
    frames = list(open_source(folder))
    assert {frame.rgb.shape for frame in frames} == {(40, 40, 3), (48, 30, 3)}
    assert np.array_equal(frames[3].rgb, portrait)
    assert frames[3].camera == Camera(30, 48, 61.0, 62.0, 14.5, 25.0)
    assert frames[2].camera.fx == pytest.approx(object_scene().camera.fx)
    config = SourceConfig.model_validate({"colmap": {"downscale": 2}})
    assert next(iter(open_source(folder, config=config))).rgb.shape == (20, 20, 3)


def test_a_listing_without_pictures_beside_a_model_names_the_model(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path)
    pose = np.eye(4).tolist()
    frames = [{"file_path": f"gone/{i}.png", "transform_matrix": pose} for i in (0, 1)]
    (folder / "transforms.json").write_text(json.dumps({"fl_x": 50, "frames": frames}))
    with pytest.raises(SourceError, match=r"was read as transforms_json, .* --source colmap$"):
        open_source(folder)
    assert frame_count(open_source(folder, "colmap")) == VIEWS
