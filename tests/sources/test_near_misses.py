# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Folders that lack something to be a source, and what is said of them."""

from pathlib import Path

import pytest
from folder_making import make_tum, write_colour

from ineus_core.errors import SourceError
from ineus_core.sources import source_kind


@pytest.mark.parametrize("inner", [".", "images"])
def test_photographs_without_poses_are_sent_to_colmap(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    for i in range(3):
        write_colour(folder / f"{i}.png", i)
    with pytest.raises(SourceError) as caught:
        source_kind(tmp_path)
    assert f"{folder} has 3 pictures without poses" in str(caught.value)
    assert f"`ineus colmap {folder} --out DIR`" in str(caught.value)


@pytest.mark.parametrize("name", ["rgb", "groundtruth"])
def test_the_list_that_a_tum_sequence_lacks_is_named(tmp_path: Path, name: str) -> None:
    folder = make_tum(tmp_path / "data")
    (folder / f"{name}.txt").unlink()
    with pytest.raises(SourceError, match=rf"TUM layout without {name}\.txt; expected"):
        source_kind(folder)


def test_a_file_that_may_be_the_trajectory_of_a_tum_sequence_is_named(tmp_path: Path) -> None:
    folder = make_tum(tmp_path / "data")
    (folder / "groundtruth.txt").rename(folder / "truth_cam_poses.txt")
    with pytest.raises(SourceError, match=r"groundtruth\.txt; truth_cam_poses\.txt may be that"):
        source_kind(folder)


def test_of_other_folders_nothing_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(SourceError, match=r"can be recognised; expected one of"):
        source_kind(tmp_path)


def test_colour_and_depth_without_a_trajectory(tmp_path: Path) -> None:
    for name in ("image", "depth", "scene_1"):
        (tmp_path / name).mkdir()
    for i in range(3):
        write_colour(tmp_path / "image" / f"{i}.png", i)
    (tmp_path / "scene_1" / "trajectory.log").write_text("")
    with pytest.raises(SourceError) as caught:
        source_kind(tmp_path)
    assert "colour in image/ and depth in depth/ but no trajectory" in str(caught.value)
    assert "scene_1/trajectory.log may be one" in str(caught.value)
    assert "source.rgbd_folder.trajectory=FILE" in str(caught.value)


def test_poses_of_llff_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "poses_bounds.npy").write_bytes(b"")
    with pytest.raises(
        SourceError, match=r"poses_bounds\.npy of LLFF .*; expected them in images/"
    ):
        source_kind(tmp_path)


def test_a_single_photograph_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"one picture without a pose; .*`ineus colmap FOLDER"):
        source_kind(tmp_path)


def test_a_model_of_colmap_of_which_a_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    (tmp_path / "sparse" / "0" / "cameras.bin").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"has cameras of a COLMAP model but no images\.bin"):
        source_kind(tmp_path)
