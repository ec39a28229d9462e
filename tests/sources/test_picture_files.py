# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures, masks and depth in files: values, and sizes judged before they are decoded."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from png_header import png_of

from ineus_core.errors import SourceError
from ineus_core.sources.picture_files import (
    encoded_size,
    picture_size,
    read_colour,
    read_depth,
    read_mask,
    read_pfm,
    read_picture,
    returns_of,
)

READERS = (read_colour, read_picture, read_mask, read_depth, read_pfm)


def write(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def test_each_reader_has_its_values(tmp_path: Path) -> None:
    bgra = np.full((2, 3, 4), (10, 20, 30, 51), dtype=np.uint8)
    coloured = write(tmp_path / "rgba.png", bgra)
    assert read_colour(coloured, (3, 2))[0, 0].tolist() == [30, 20, 10]
    rgb, alpha = read_picture(coloured, (3, 2))
    assert rgb[1, 2].tolist() == [30, 20, 10]
    assert alpha is not None
    np.testing.assert_allclose(alpha, 0.2)
    deep = write(tmp_path / "deep.png", np.full((2, 3), 257 * 7, dtype=np.uint16))
    assert read_picture(deep, (3, 2))[0].max() == 7
    assert read_depth(deep, (3, 2)).tolist() == [[1799] * 3] * 2
    mask = write(tmp_path / "mask.png", np.array([[0, 255, 51]], dtype=np.uint8))
    np.testing.assert_allclose(read_mask(mask, (3, 1)), [[0, 1, 0.2]])
    pfm = write(tmp_path / "depth.pfm", np.array([[1.5, np.inf, np.nan]], dtype=np.float32))
    assert read_pfm(pfm, (3, 1)).tolist() == [[1.5, 0, 0]]


@pytest.mark.parametrize("read", READERS)
def test_another_size_than_the_camera_is_named_before_decoding(
    tmp_path: Path, read: Callable[[Path, tuple[int, int]], object]
) -> None:
    # No decoder could make a picture of it, so that the size must have been found before.
    path = tmp_path / "claim.png"
    path.write_bytes(png_of(9000, 9000, 16))
    with pytest.raises(SourceError, match=r"claim.png: picture of 9000 x 9000 .* camera's 4 x 3"):
        read(path, (4, 3))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [b"", b"no picture", png_of(4, 3)[:60], b"Pf\n4 3\n-1\n"])
def test_what_cannot_be_decoded_is_named(
    tmp_path: Path, read: Callable[[Path, tuple[int, int]], object], content: bytes
) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.png: "):
        read(path, (4, 3))


@pytest.mark.parametrize("side", [16_000, 32_000, 60_000])
def test_sizes_that_nobody_believes(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(side, side))
    for call in (lambda: picture_size(path), lambda: encoded_size(png_of(60_000, side), "image")):
        with pytest.raises(SourceError, match=r"claims .* pixels; expected at most 64"):
            call()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_setting_raises_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_of(10_000, 9_000))
    with pytest.raises(SourceError, match=r"10000 x 9000 .* 64 million .*source\.max_picture_mpx"):
        picture_size(path)
    assert picture_size(path, 90.0) == (10_000, 9_000)


def test_a_chunk_that_claims_more_than_is_there_takes_no_memory(tmp_path: Path) -> None:
    whole = cv2.imencode(".png", np.full((24, 32), 700, np.uint16))[1].tobytes()
    at = whole.index(b"IDAT") - 4
    for cut in (
        whole[:at] + (1 << 31 | 5).to_bytes(4, "big") + whole[at + 4 :],
        whole[:-14],
        whole[: at + 3],
    ):
        path = tmp_path / "cut.png"
        path.write_bytes(cut)
        assert encoded_size(cut, "cut") is None
        with pytest.raises(SourceError, match=r"cut\.png: cannot be read as a picture"):
            read_depth(path, (32, 24))
    assert encoded_size(whole, "whole") == (32, 24)
    # What stands behind the last chunk is none of the picture.
    assert encoded_size(whole + b"abc", "whole") == (32, 24)


def test_what_is_no_picture_has_no_size() -> None:
    assert encoded_size(b"", "nothing") is None
    assert encoded_size(b"12345", "nothing") is None
    assert encoded_size(png_of(7, 5), "picture") == (7, 5)


def test_depth_that_is_no_length_is_none() -> None:
    depth_m = np.array([[0.0, -0.5, 1.0, 2.0, np.inf, np.nan]], dtype=np.float32)
    assert returns_of(depth_m).tolist() == [[0, 0, 1, 2, 0, 0]]
