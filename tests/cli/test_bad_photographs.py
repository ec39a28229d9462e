# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""`ineus run` on photographs of which something is wrong: named in a line, and nothing is left."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import scene_formats as formats
from command import CommandResult

Ineus = Callable[..., CommandResult]


def lose_most_pictures(folder: Path) -> None:
    for number in range(3, formats.VIEWS):
        name = folder / "image" / f"{number:06d}.png"
        next(folder.rglob(f"*_{number}.png"), name).unlink()


def break_a_picture(folder: Path) -> None:
    next(folder.rglob("*_3.png"), folder / "image" / "000003.png").write_bytes(b"no picture")


def resize_a_picture(folder: Path) -> None:
    file = next(folder.rglob("*_3.png"), folder / "image" / "000003.png")
    cv2.imwrite(str(file), np.zeros((31, 50, 4), dtype=np.uint8))


def bend_a_pose(folder: Path) -> None:
    """Return a matrix of three rows and columns."""
    if (folder / "cameras_sphere.npz").exists():
        matrices = dict(np.load(folder / "cameras_sphere.npz"))
        matrices["world_mat_3"] = np.eye(3)
        np.savez(folder / "cameras_sphere.npz", **matrices)  # type: ignore[arg-type]
        return
    file = folder / "transforms_train.json"
    listing = json.loads(file.read_text())
    listing["frames"][3]["transform_matrix"] = np.eye(3).tolist()
    file.write_text(json.dumps(listing))


@pytest.mark.parametrize("write", [formats.write_blender, formats.write_dtu])
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lose_most_pictures, ("3", "no such file, though there is a pose for it", "9 of the 12")),
        (break_a_picture, ("3.png", "cannot be read as a picture")),
        (resize_a_picture, ("50 x 31", "expected")),
        (bend_a_pose, ("3", "of shape (3, 3)", "expected")),
    ],
)
def test_what_is_wrong_is_named(
    write: Callable[[Path], Path],
    spoil: Callable[[Path], None],
    expected: tuple[str, ...],
    tmp_path: Path,
    ineus: Ineus,
) -> None:
    folder, out = write(tmp_path / "data"), tmp_path / "out"
    spoil(folder)
    result = ineus("run", folder, "--out", out, "--steps", 2, "--device", "cpu")
    result.assert_fails(1, *expected)
    assert not out.exists()


def test_a_model_without_registered_pictures_is_named(tmp_path: Path, ineus: Ineus) -> None:
    pytest.importorskip("pycolmap")
    folder, out = formats.write_colmap(tmp_path / "data", binary=False), tmp_path / "out"
    (folder / "sparse" / "0" / "images.txt").write_text("# none\n")
    result = ineus("run", folder, "--out", out, "--steps", 2, "--device", "cpu")
    result.assert_fails(1, "0 registered pictures")
    assert not out.exists()
