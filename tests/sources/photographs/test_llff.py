# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Captures of LLFF: a table of poses whose axes point down, right and back."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scene_formats import VIEWS, moved, object_scene, similarity, write_llff

from ineus_core.errors import SourceError
from ineus_core.sources import Source, SourceConfig, open_source, source_kind

AS_IT_IS = SourceConfig.model_validate({"llff": {"normalisation": {"enabled": False}}})


@pytest.mark.parametrize("full", [1, 4])
def test_cameras_and_pixels_are_those_of_the_scene(tmp_path: Path, full: int) -> None:
    folder, scene = write_llff(tmp_path / "data", full), object_scene()
    assert source_kind(folder) == "llff"
    frames = list(open_source(folder, config=AS_IT_IS))
    assert len(frames) == VIEWS
    for frame, true in zip(frames, scene.frames, strict=True):
        expected = moved(similarity(), true.world_from_camera)
        np.testing.assert_allclose(frame.world_from_camera, expected, rtol=0, atol=1e-6)
        found, wanted = ((c.fx, c.fy, c.cx, c.cy) for c in (frame.camera, true.camera))
        assert found == pytest.approx(wanted, abs=1e-6)
        assert frame.camera.distortion_model == "none"
        np.testing.assert_array_equal(frame.rgb, true.rgb)


def test_the_way_back_is_to_the_coordinates_of_the_table(tmp_path: Path) -> None:
    source: Source = open_source(write_llff(tmp_path / "data"))
    for frame, true in zip(source, object_scene().frames, strict=True):
        back = moved(source.dataset_from_world, frame.world_from_camera)  # type: ignore[attr-defined]
        expected = moved(similarity(), true.world_from_camera)
        assert np.abs(back - expected).max() < 1e-6 * np.abs(expected).max()


def test_another_number_of_pictures_than_poses_is_refused(tmp_path: Path) -> None:
    folder = write_llff(tmp_path / "data")
    (folder / "images" / "IMG_003.png").unlink()
    with pytest.raises(SourceError, match=rf"has {VIEWS} poses, images/ has {VIEWS - 1} pictures"):
        open_source(folder)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".JPG", ".png.png"])
def test_masks_that_outline_an_object_are_used(tmp_path: Path, suffix: str) -> None:
    folder = write_llff(tmp_path / "data")
    (folder / "masks").mkdir()
    for picture in sorted((folder / "images").iterdir()):
        rgb = cv2.imread(str(picture))
        mask = np.zeros(rgb.shape[:2], dtype=np.uint8)
        cv2.circle(mask, (mask.shape[1] // 2, mask.shape[0] // 2), mask.shape[0] // 4, 255, -1)
        assert cv2.imwrite(str(folder / "masks" / f"{picture.stem}{suffix}"), mask)
    source = open_source(folder)
    assert source.masks == "composite"  # type: ignore[attr-defined]
    frame = next(iter(source))
    assert frame.foreground is not None
    assert not frame.foreground[0, 0] and frame.foreground[mask.shape[0] // 2, mask.shape[1] // 2]
    assert frame.rgb[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((VIEWS, 15)), r"\(12, 15\); expected a table of 17"),
        (np.zeros((0, 17)), r"\(0, 17\); expected a table"),
        (np.zeros((VIEWS, 17)), r"poses_bounds\.npy, row 0"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, table: np.ndarray, message: str) -> None:
    folder = write_llff(tmp_path / "data")
    np.save(folder / "poses_bounds.npy", table, allow_pickle=True)
    with pytest.raises(SourceError, match=message):
        open_source(folder)


def test_pictures_of_another_folder_are_named(tmp_path: Path) -> None:
    folder = write_llff(tmp_path / "data", 4)
    (folder / "images").rename(folder / "images_4")
    config = SourceConfig.model_validate({"llff": {"images_folder": "images_4"}})
    assert len(list(open_source(folder, "llff", config))) == VIEWS
    with pytest.raises(SourceError, match=r"--source llff .*images_folder=images_4"):
        source_kind(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{'descr': (\n", b"\x93NUMPY\x01\x00\x10\x00{'descr': (1,\n   "]
)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_llff(tmp_path / "data")
    (folder / "poses_bounds.npy").write_bytes(content)
    with pytest.raises(SourceError, match=r"poses_bounds\.npy: cannot be read"):
        open_source(folder)
