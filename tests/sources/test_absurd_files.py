# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets whose files claim what cannot be: opening them ends in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scene_formats as formats
from folder_making import make_posed_images, make_seven_scenes, make_tum
from png_header import png_of

from ineus_core.errors import SourceError
from ineus_core.sources import open_source

NESTED = "[" * 100_000 + "]" * 100_000


def edited(change: Callable[[dict], Any]) -> Callable[[Path], None]:
    """Change the first frame of a `transforms.json`."""

    def edit(folder: Path) -> None:
        file = folder / "transforms.json"
        content = json.loads(file.read_text())
        change(content["frames"][0])
        file.write_text(json.dumps(content))

    return edit


def with_compression(folder: Path, method: int) -> None:
    """Say in directory and headers that the matrices are packed by a method of another number."""
    file = folder / "cameras_sphere.npz"
    content = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] = method
            at = content.find(signature, at + 4)
    file.write_bytes(content)


def with_projection(folder: Path, matrix: np.ndarray) -> None:
    np.savez_compressed(folder / "cameras_sphere.npz", world_mat_0=matrix, scale_mat_0=np.eye(4))


CASES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object], str]] = {
    "word of 5000 letters": (
        make_posed_images,
        lambda folder: (folder / "poses.txt").write_text(f"a 0{' 1' * 11} {'x' * 5000}"),
        "poses.txt, line 1: could not convert",
    ),
    "number of 401 digits": (
        formats.write_transforms_json,
        edited(lambda frame: frame.update(fl_x=10**400)),
        "fl_x 1000.*finite number",
    ),
    "matrix of such numbers": (
        formats.write_transforms_json,
        edited(lambda frame: frame.update(transform_matrix=[[10**400] * 4] * 4)),
        "frame 0: matrix",
    ),
    "nested lists": (
        formats.write_transforms_json,
        lambda folder: (folder / "transforms.json").write_text(NESTED),
        "nested too deeply",
    ),
    "width of a wall": (
        formats.write_transforms_json,
        edited(lambda frame: frame.update(w=1e300)),
        "camera of 1000.*pixels: expected",
    ),
    "long name": (
        formats.write_transforms_json,
        edited(lambda frame: frame.update(file_path="x" * 5000)),
        "frame 0: file name .* of 500[0-9] characters",
    ),
    "mask that is a number": (
        formats.write_transforms_json,
        edited(lambda frame: frame.update(mask_path=7)),
        "mask_path 7; expected the name of a file",
    ),
    "long name in a line": (
        make_tum,
        lambda folder: (folder / "rgb.txt").write_text(f"1 {'x' * 5000}\n"),
        "rgb.txt, line 1: file name",
    ),
    "long name of a frame": (
        make_posed_images,
        lambda folder: (folder / "poses.txt").write_text(
            f"{'x' * 5000} 0 1 0 0 0 0 1 0 0 0 0 1 0"
        ),
        "poses.txt, line 1: file name",
    ),
    "intrinsics in lists": (
        make_posed_images,
        lambda folder: (folder / "intrinsics.json").write_text(NESTED),
        "nested too deeply",
    ),
    "first picture of 256 million pixels": (
        make_seven_scenes,
        lambda folder: (folder / "frame-000000.color.png").write_bytes(png_of(16_000, 16_000)),
        "claims .* expected at most 64",
    ),
    "archive by a method that Python lacks": (
        formats.write_dtu,
        lambda folder: with_compression(folder, 99),
        "cannot be read as npz .*not supported",
    ),
    "archive of a large matrix": (
        formats.write_dtu,
        lambda folder: with_projection(folder, np.zeros((4000, 4000))),
        "world_mat_0.npy' of 128000.* bytes; expected matrices",
    ),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_claim_is_named_in_a_sentence(tmp_path: Path, case: str) -> None:
    make, spoil, message = CASES[case]
    folder = make(tmp_path / "data")
    spoil(folder)
    with pytest.raises(SourceError, match=message) as error:
        list(open_source(folder))
    assert len(str(error.value)) < 1000
