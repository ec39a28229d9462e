# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures, masks and depth in image files, whose size is known before memory is taken."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image

from ineus_core.errors import SourceError
from ineus_core.files import DAMAGED_ARRAY
from ineus_core.sources.lfs import lfs_note

MOST_MPX = 64.0
"""Millions of pixels of a picture that are believed unless a setting says more."""

_SAME_PROPORTIONS = 0.01
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK, _PNG_CHECKSUM_BYTES = struct.Struct(">I4s"), 4
"""Length and name of a chunk; its content and a checksum follow."""

Size = tuple[int, int]
"""Width and height in pixels."""


def picture_size(path: Path, most_mpx: float = MOST_MPX) -> Size:
    """Return the size of a picture, read off its header.

    Raises:
        SourceError: It is missing, no picture, or larger than is believed.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file, though there is a pose for it")
    size = _header_size(path, str(path))
    if size is None:
        raise SourceError(f"{path}: cannot be read as a picture{lfs_note(path)}")
    check_believable(size, str(path), most_mpx, " (source.max_picture_mpx)")
    return size


def encoded_size(data: bytes, what: str) -> Size | None:
    """Return the size of an encoded picture in memory by its header, or None if it is none."""
    return _header_size(io.BytesIO(data), what)


def check_believable(size: Size, what: str, most_mpx: float = MOST_MPX, setting: str = "") -> None:
    """Raise `SourceError` if a picture claims to be larger than is believed."""
    if size[0] * size[1] > most_mpx * 1e6:
        raise SourceError(
            f"{what}: claims {size[0]} x {size[1]} pixels; expected at most {most_mpx:g} million "
            f"of them{setting}"
        )


def check_size(path: Path, expected: Size) -> None:
    """Raise `SourceError` unless a picture has the size of its camera by its header."""
    # What the camera has was believed already, however large it is.
    width, height = picture_size(path, np.inf)
    if (width, height) != expected:
        raise SourceError(
            f"{path}: picture of {width} x {height} pixels; "
            f"expected the camera's {expected[0]} x {expected[1]}"
        )


def read_colour(path: Path, expected: Size) -> UInt8[np.ndarray, "h w 3"]:
    """Read a colour (or grey) picture of the expected size as RGB."""
    # The rotation that a camera may have noted would not agree with the intrinsics.
    picture = _decoded(path, expected, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_picture(
    path: Path, expected: Size
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "h w"] | None]:
    """Read colour as RGB, and alpha from 0 to 1 where the picture has it."""
    picture = _decoded(path, expected, cv2.IMREAD_UNCHANGED)
    if picture.dtype == np.uint16:
        # 65535 / 255: white of 16 bits stays white.
        picture = np.round(picture / 257.0).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise SourceError(f"{path}: values of {picture.dtype}; expected 8 or 16 bits")
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), None
    if picture.shape[2] == 4:
        alpha = picture[..., 3].astype(np.float32) / np.float32(255)
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGB), alpha
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), None


def read_mask(path: Path, expected: Size) -> Float[np.ndarray, "h w"]:
    """Read a mask, from 0 (outside) to 1."""
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    return _decoded(path, expected, flags).astype(np.float32) / np.float32(255)


def read_labels(path: Path, expected: Size) -> UInt8[np.ndarray, "h w"]:
    """Read a picture whose values of 8 bits are numbers of kinds, not brightness."""
    picture = _decoded(path, expected, cv2.IMREAD_UNCHANGED)
    if picture.ndim != 2 or picture.dtype != np.uint8:
        raise SourceError(f"{path}: {picture.dtype}; expected one channel of 8 bits")
    return picture


def read_depth(path: Path, expected: Size) -> UInt16[np.ndarray, "h w"]:
    """Read the values of a depth picture with one channel of 16 bits."""
    picture = _decoded(path, expected, cv2.IMREAD_UNCHANGED)
    if picture.ndim != 2 or picture.dtype != np.uint16:
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        raise SourceError(
            f"{path}: {channels} channel(s) of {picture.dtype}; expected depth as one of uint16"
        )
    return picture


def read_depth_values(path: Path, view: Size) -> Float[np.ndarray, "h w"]:
    """Read depth of a view at whatever size: `.npy`, or a picture of 16 bits or of floats."""
    values = _array(path) if path.suffix == ".npy" else _decoded(path, picture_size(path), -1)
    if values.ndim != 2 or values.dtype.kind not in "uf" or values.dtype == np.uint8:
        channels = 1 if values.ndim == 2 else values.shape[2]
        raise SourceError(
            f"{path}: {channels} channel(s) of {values.dtype}; expected depth as one of uint16 "
            f"or of floats"
        )
    height, width = values.shape
    # A pixel of rounding is more than 1 % of depth that is as small as that of phones.
    if abs(width * view[1] / view[0] - height) > max(1.0, _SAME_PROPORTIONS * height):
        raise SourceError(
            f"{path}: depth of {width} x {height} pixels; expected the proportions of the "
            f"picture's {view[0]} x {view[1]}"
        )
    return values.astype(np.float32)


def fitted_depth(depth: Float[np.ndarray, "h w"], size: Size) -> Float[np.ndarray, "out_h out_w"]:
    """Return depth at another size, each pixel the nearest of the given ones."""
    if depth.shape == (size[1], size[0]):
        return depth
    # A mean of depths across an edge would lie in the air.
    rows = ((np.arange(size[1]) + 0.5) * depth.shape[0] / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * depth.shape[1] / size[0]).astype(int)
    return depth[np.ix_(rows, columns)]


def _array(path: Path) -> np.ndarray:
    try:
        # Mapped, so that the size is known before memory is taken.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED_ARRAY as error:
        reason = f"{str(error)[:200]}{lfs_note(path)}"
        raise SourceError(f"{path}: cannot be read as npy ({reason})") from error
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    # Before `asarray` below, which is what takes the memory of a mapped file.
    check_believable((values.size, 1), str(path))
    return np.asarray(values)


def read_pfm(path: Path, expected: Size) -> Float[np.ndarray, "h w"]:
    """Read depth of one channel in a PFM file; 0 where it is not finite."""
    depth = _decoded(path, expected, cv2.IMREAD_UNCHANGED)
    if depth.ndim != 2 or depth.dtype != np.float32:
        raise SourceError(f"{path}: cannot be read as a PFM file with one channel")
    return np.where(np.isfinite(depth), depth, np.float32(0))


def returns_of(depth_m: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return depth with 0 where it is not a positive, finite number."""
    return np.where((depth_m > 0) & np.isfinite(depth_m), depth_m, np.float32(0))


def _header_size(file: Path | io.BytesIO, what: str) -> Size | None:
    try:
        with open(file, "rb") if isinstance(file, Path) else file as content:
            if not _has_its_chunks(content):
                return None
            with Image.open(content) as picture:
                return picture.size
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise SourceError(
            f"{what}: claims more than {most} million pixels; expected at most {MOST_MPX:g}"
        ) from error
    except (OSError, ValueError):
        return None


def _has_its_chunks(file: io.BufferedIOBase) -> bool:
    """Tell whether a picture is no PNG, or one that holds as many bytes as its chunks claim.

    OpenCV takes memory for what a chunk claims, up to 2 GB, before it reads any of it.
    """
    is_png = file.read(len(_PNG_MAGIC)) == _PNG_MAGIC
    end = file.seek(0, io.SEEK_END)
    place = len(_PNG_MAGIC)
    while is_png and place < end:
        file.seek(place)
        head = file.read(_PNG_CHUNK.size)
        if len(head) < _PNG_CHUNK.size:
            return False
        length, kind = _PNG_CHUNK.unpack(head)
        place += _PNG_CHUNK.size + length + _PNG_CHECKSUM_BYTES
        # What follows the end is no chunk any more.
        if kind == b"IEND":
            break
    file.seek(0)
    return not is_png or place <= end


def _decoded(path: Path, expected: Size, flags: int) -> np.ndarray:
    check_size(path, expected)
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a picture")
    return picture
