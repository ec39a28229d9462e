# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Binary files of COLMAP that count more than they hold."""

import struct
from pathlib import Path

import numpy as np
import pytest
import scene_formats as formats

from ineus_core.errors import SourceError
from ineus_core.sources import open_source
from ineus_core.sources.photographs.colmap_files import check_model_files

FILES = ("cameras.bin", "images.bin", "points3D.bin")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    points = np.random.default_rng(0).normal(size=(7, 3))
    return formats.write_colmap(tmp_path, points=points) / "sparse" / "0"


def test_whole_files_pass(model: Path) -> None:
    check_model_files(model)


def test_files_of_the_present_version_pass_and_are_followed_to_their_end(model: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    written = model.parent / "1"
    written.mkdir()
    pycolmap.Reconstruction(str(model)).write_binary(str(written))
    check_model_files(written)
    for name in (*FILES, "frames.bin"):
        whole = (written / name).read_bytes()
        (written / name).write_bytes(whole[:-1])
        with pytest.raises(SourceError, match=rf"{name}: claims"):
            check_model_files(written)
        (written / name).write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("count", [2**63, 2**64 - 1, 1000])
def test_counts_beyond_the_file(model: Path, name: str, count: int) -> None:
    file = model / name
    file.write_bytes(struct.pack("<Q", count) + file.read_bytes()[8:])
    with pytest.raises(SourceError, match=rf"{name}: claims {count} records .*whole file"):
        check_model_files(model)


@pytest.mark.parametrize("name", FILES)
def test_files_that_were_cut_off(model: Path, name: str) -> None:
    whole = (model / name).read_bytes()
    for size in (0, 6, 8, len(whole) // 2, len(whole) - 1):
        (model / name).write_bytes(whole[:size])
        with pytest.raises(SourceError, match=rf"{name}: .*whole file"):
            check_model_files(model)


def test_a_count_of_observations_beyond_the_file(model: Path) -> None:
    file = model / "images.bin"
    content = bytearray(file.read_bytes())
    content[-8:] = struct.pack("<Q", 2**63)
    file.write_bytes(content)
    with pytest.raises(SourceError, match=rf"claims {2**63} records of 24 bytes"):
        check_model_files(model)


def test_the_source_says_it(model: Path) -> None:
    pytest.importorskip("pycolmap")
    (model / "images.bin").write_bytes(struct.pack("<Q", 2**63)[:6])
    with pytest.raises(SourceError, match=r"images.bin: 6 bytes; expected a whole file"):
        open_source(model.parents[1])


@pytest.mark.parametrize("binary", [True, False])
def test_a_name_that_is_no_text_is_named(tmp_path: Path, binary: bool) -> None:
    pytest.importorskip("pycolmap")
    folder = formats.write_colmap(tmp_path, binary=binary)
    file = folder / "sparse" / "0" / ("images.bin" if binary else "images.txt")
    file.write_bytes(file.read_bytes().replace(b"view_003", b"view\xff003"))
    with pytest.raises(SourceError, match=r"sparse.0: name of picture \d+: .*0xff"):
        open_source(folder)
